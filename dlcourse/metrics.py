"""Metrics as sums that merge by addition, so that every example counts exactly once."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Num, Shaped

from dlcourse import boundaries
from dlcourse.errors import UserError


class Mean(NamedTuple):
    """A weighted mean before the division.

    Two of them merge by adding both fields, so the mean over a set does not depend on how the set
    is cut into batches, padded or spread over devices.

    Attributes:
        total: Σ w v.
        weight: Σ w.
    """

    total: Float[Array, "*members"]
    weight: Float[Array, "*members"]

    @property
    def value(self) -> Float[ArrayLike, "*members"]:
        """Σ w v / Σ w; nan if the weight is 0."""
        return self.total / self.weight


class Loss(Mean):
    """The mean that training minimises. A run all of whose losses are not finite has diverged."""


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


def values(metrics: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The value of each metric on the host, in float64; nan where nothing was counted."""
    sums = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), dict(metrics))
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: np.asarray(metric.value) for name, metric in sums.items()}


class Weighted(NamedTuple):
    """Values that count with weights of their own.

    Attributes:
        values: `[batch, *rest]`.
        weights: `[batch, *rest]`; 0 excludes a value: padding, masked tokens, ignored pixels.
    """

    values: Num[Array, "batch *rest"]
    weights: Shaped[Array, "batch *rest"]


def mean(
    values: Num[Array, "batch *rest"] | Weighted, mask: Shaped[Array, " batch"] | None = None
) -> Mean:
    """The weighted mean of `values`, not divided yet: (Σ w v, Σ w).

    Args:
        values: numbers of weight 1, or `Weighted` ones. Axes after the first hold more values of
            the same example.
        mask: a factor of each example's weights; 0 excludes the example. Default: 1.

    Raises:
        UserError: values and weights differ in shape.
    """
    values, weights = values if isinstance(values, Weighted) else (values, jnp.ones(values.shape))
    if values.shape != weights.shape:
        raise UserError(
            f"Values have shape {values.shape} and their weights {weights.shape}; "
            "each value needs one weight."
        )
    values, weights = values.astype(jnp.float32), weights.astype(jnp.float32)
    # `where`, not a product: a padded row may hold inf or nan, and 0 * inf is nan.
    if mask is not None:
        mask = mask.astype(jnp.float32).reshape(mask.shape + (1,) * (values.ndim - 1))
        weights = jnp.where(mask == 0, 0.0, weights * mask)
    return Mean(jnp.sum(jnp.where(weights == 0, 0.0, values * weights)), jnp.sum(weights))


def scalar(value: Num[Array, ""]) -> Mean:
    """A number with weight 1, such as a loss that is already averaged or a gradient norm."""
    return Mean(jnp.asarray(value, jnp.float32), jnp.ones((), jnp.float32))


def accuracy(
    logits: Float[Array, "batch *rest classes"], labels: Num[Array, "batch *rest"]
) -> Float[Array, "batch *rest"]:
    """1 where the largest logit belongs to the label, else 0."""
    return (jnp.argmax(logits, axis=-1) == labels).astype(jnp.float32)


class ClassMean(NamedTuple):
    """The mean over classes of a ratio of counts, before the division; merges as `Mean` does.

        value = mean_c total_c / weight_c,    over the classes with weight_c > 0

    The ratio is taken after all batches are counted: the mean of the ratios of batches would
    depend on how the set is cut, and is undefined for a class that is absent from a batch. The
    counts are integers, because float32 stops counting at 2^24 pixels, a hundred photographs.
    """

    total: Int[Array, "*members classes"]
    weight: Int[Array, "*members classes"]

    @property
    def value(self) -> Float[ArrayLike, "*members"]:
        """The mean over the classes that occur; nan if none occurs."""
        total, weight = np.asarray(self.total), np.asarray(self.weight)
        occurs = weight > 0
        ratios = np.where(occurs, total / np.maximum(weight, 1), 0.0)
        return np.asarray(ratios.sum(-1) / occurs.sum(-1))

    def per_class(self, names: Sequence[str]) -> dict[str, Mean]:
        """The ratio of each class; its value is nan for a class that never occurs."""
        return {name: Mean(self.total[..., c], self.weight[..., c]) for c, name in enumerate(names)}


def confusion(
    labels: Int[Array, "batch *rest"],
    predictions: Int[Array, "batch *rest"],
    num_classes: int,
    *,
    ignore: int | None = None,
    mask: Shaped[Array, " batch"] | None = None,
) -> Int[Array, "rows classes"]:
    """Confusion matrix: entry (i, j) counts labels of class i that are predicted as class j.

    Args:
        labels: class numbers.
        predictions: class numbers from 0 to `num_classes - 1`.
        num_classes: number of classes.
        ignore: the label that is not counted.
        mask: 0 excludes an example. Default: 1.

    Returns:
        `[num_classes + 1, num_classes]`. The last row counts labels outside the range of classes:
        they count as mistakes, because dropping them would hide masks of 0 and 255.

    Raises:
        UserError: labels and predictions differ in shape.
    """
    _check_alike(labels, predictions)
    counted = jnp.ones(labels.shape, bool) if ignore is None else labels != ignore
    if mask is not None:
        counted &= (mask > 0).reshape(mask.shape + (1,) * (labels.ndim - 1))
    known = (labels >= 0) & (labels < num_classes)
    cells = jnp.where(known, labels, num_classes) * num_classes + predictions
    size = num_classes * (num_classes + 1)
    counts = jnp.bincount(cells.ravel(), counted.ravel().astype(jnp.int32), length=size)
    return counts.reshape(num_classes + 1, num_classes)


def iou(counts: Int[Array, "rows classes"]) -> ClassMean:
    """Intersection over union (Jaccard index) of each class: `n_cc / (Σ_j n_cj + Σ_i n_ic - n_cc)`.

    Args:
        counts: n, from `confusion`.
    """
    intersection = jnp.diagonal(counts)
    union = jnp.sum(counts, axis=1)[:-1] + jnp.sum(counts, axis=0) - intersection
    return ClassMean(intersection, union)


def boundary_f(
    labels: Int[Array, "batch height width"],
    predictions: Int[Array, "batch height width"],
    num_classes: int,
    *,
    tolerance: float = 2.0,
    ignore: int | None = None,
) -> Float[Array, " batch"]:
    """The boundary F-score of each image, `2 P R / (P + R)`, mean over classes (Csurka, 2013).

    P is the share of a class's predicted boundary within `tolerance` pixels of its true boundary;
    R is the share of the true boundary within `tolerance` pixels of the predicted one. The mean is
    over the classes with a true or predicted boundary; an image without boundaries scores 1.

    Args:
        labels: class numbers.
        predictions: class numbers from 0 to `num_classes - 1`.
        num_classes: number of classes.
        tolerance: distance in pixels.
        ignore: the label of pixels that take no part: they have no boundary with other classes.

    Raises:
        UserError: labels and predictions differ in shape.
    """
    _check_alike(labels, predictions)
    counted = jnp.ones(labels.shape, bool) if ignore is None else labels != ignore
    true_edges = boundaries.boundary(labels, counted)
    drawn_edges = boundaries.boundary(predictions, counted)

    def share(found: Bool[Array, "b h w"], edges: Bool[Array, "b h w"]) -> Float[Array, " b"]:
        squared = boundaries.squared_distance(edges, reach=int(tolerance))
        near = jnp.sum(found & (squared <= tolerance**2), axis=(1, 2))
        return near / jnp.maximum(jnp.sum(found, axis=(1, 2)), 1)

    def of_class(c: Int[Array, ""]) -> tuple[Float[Array, " b"], Bool[Array, " b"]]:
        true, drawn = true_edges & (labels == c), drawn_edges & (predictions == c)
        precision, recall = share(drawn, true), share(true, drawn)
        score = 2 * precision * recall / jnp.maximum(precision + recall, 1e-9)
        return score, jnp.any(true | drawn, axis=(1, 2))

    scores, present = jax.vmap(of_class)(jnp.arange(num_classes))
    total, number = jnp.sum(scores * present, axis=0), jnp.sum(present, axis=0)
    return jnp.where(number > 0, total / jnp.maximum(number, 1), 1.0)


def _check_alike(labels: Array, predictions: Array) -> None:
    """Refuses shapes that would broadcast: a mask of one row against every row of an image."""
    if labels.shape != predictions.shape:
        raise UserError(
            f"Labels have shape {labels.shape} and predictions {predictions.shape}; "
            "each label needs one prediction."
        )
