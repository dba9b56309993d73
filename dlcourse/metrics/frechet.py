"""The Fréchet distance of two sets of vectors, from sums of their second moments."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Shaped


class FrechetDistance(NamedTuple):
    """The squared Fréchet distance of two sets of vectors, each described by a Gaussian.

        d² = |m_1 - m_2|² + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))

    with means m and covariances S (n - 1 in the denominator). On features of a network this is
    the FID of Heusel et al. (2017); on pixels it is a plain measure of small generated images.

    Attributes:
        real, generated: the sums of `second_moments` over a set. Two of them merge by adding.
    """

    real: Float[Array, "*members 2 rows rows"]
    generated: Float[Array, "*members 2 rows rows"]

    @property
    def value(self) -> Float[ArrayLike, "*members"]:
        """d² of each member; nan where the vectors are not finite or fewer than two."""
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            (m1, s1), (m2, s2) = _moments(self.real), _moments(self.generated)
            product = s1 @ s2
            distance = ((m1 - m2) ** 2).sum(-1) + np.trace(s1 + s2, axis1=-2, axis2=-1)
        # `eigvals` refuses the whole stack if one matrix in it is not finite.
        finite = np.isfinite(product).all((-2, -1)) & np.isfinite(distance)
        values = np.linalg.eigvals(np.where(finite[..., None, None], product, 0.0))
        # The eigenvalues of S_1 S_2 are real and non-negative, up to rounding.
        roots = np.sqrt(np.maximum(values.real, 0.0)).sum(-1)
        return np.where(finite, distance - 2 * roots, np.nan)


def second_moments(
    vectors: Float[Array, "batch d"], mask: Shaped[Array, " batch"] | None = None
) -> Float[Array, "2 rows rows"]:
    """One side of `FrechetDistance`: Σ (1, x) (1, x)ᵀ over the vectors whose `mask` is 1.

    The sum holds the number of vectors, their sum and their second moments; `rows = d + 1`. It is
    stored as a high and a low part in float32. Their sum in float64 is the result, and sets merge
    by adding each part. With v = (1, c), c near the batch mean, r = (0, x - c) and n vectors:

        Σ (v + r) (v + r)ᵀ = n v vᵀ + v (Σ r)ᵀ + (Σ r) vᵀ + Σ r rᵀ

    One float32 is not enough: at mean 100 and deviation 0.1 the rounding of x² is as large as a
    tenth of the variance. Here the dominant term n v vᵀ is rounded to 8 significant bits for the
    high part, so that adding high parts is exact up to 2^16 vectors (2^16 batches, if their size
    is a power of 2). The low part holds the rest, which is 2^-9 of it or as small as the variance.
    """
    mask = jnp.ones(vectors.shape[:1]) if mask is None else (mask > 0).astype(jnp.float32)
    vectors = jnp.where(mask[:, None] > 0, vectors.astype(jnp.float32), 0.0)
    count = jnp.sum(mask)
    # 12 significant bits, so that the products of two entries are exact in float32.
    centre = _rounded(jnp.sum(vectors, axis=0) / jnp.maximum(count, 1.0), bits=12)
    rest = jnp.where(mask[:, None] > 0, vectors - centre[None, :], 0.0)
    v, r = jnp.pad(centre, (1, 0), constant_values=1.0), jnp.pad(rest, ((0, 0), (1, 0)))
    outer = v[:, None] * v[None, :]
    cross = v[:, None] * jnp.sum(r, axis=0)[None, :]
    squares = jnp.einsum("bi,bj->ij", r, r, precision=jax.lax.Precision.HIGHEST)
    high = _rounded(outer, bits=8)
    return jnp.stack([count * high, count * (outer - high) + cross + cross.T + squares])


def _rounded(x: Float[Array, "*axes"], bits: int) -> Float[Array, "*axes"]:
    """Rounds to so many significant bits; the compiler never removes this operation."""
    return jax.lax.reduce_precision(x, exponent_bits=8, mantissa_bits=bits - 1)


def _moments(
    sums: Float[ArrayLike, "*members 2 rows rows"],
) -> tuple[np.ndarray, np.ndarray]:
    """Mean `[*members, d]` and covariance `[*members, d, d]` in float64."""
    total = np.asarray(sums, np.float64).sum(-3)
    count = total[..., :1, :1]
    mean = total[..., 0, 1:] / count[..., 0]
    outer = mean[..., :, None] * mean[..., None, :]
    return mean, (total[..., 1:, 1:] - count * outer) / (count - 1)
