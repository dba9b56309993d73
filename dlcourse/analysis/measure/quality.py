"""How good samples are: how far from real images, how real, and how much of the variety."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from dlcourse import metrics

Vectors = Float[np.ndarray, "_ d"]
CHUNK = 500  # rows of a table of distances


class Quality(NamedTuple):
    """The quality of samples beside real images, in the features of an extractor.

    Attributes:
        frechet: the squared Fréchet distance of the two sets (Heusel et al., 2017); 0 is best.
        precision: the share of samples that lie among the real images.
        recall: the share of real images that lie among the samples.
    """

    frechet: float
    precision: float
    recall: float


def quality(real: Vectors, samples: Vectors, *, neighbours: int = 3) -> Quality:
    """The quality of samples, from features of real images and of samples.

    A vector lies among a set if it is closer to one of its members than that member is to its
    k-th nearest neighbour in the set (Kynkäänniemi et al., 2019).

    All three depend on the number of vectors: compare numbers of equal sets, with those of real
    images against real images beside them.

    Args:
        real: features of real images.
        samples: features of samples.
        neighbours: k.
    """
    moments = [metrics.second_moments(jnp.asarray(each)) for each in (real, samples)]
    return Quality(
        float(np.asarray(metrics.FrechetDistance(*moments).value)),
        _share_among(samples, real, neighbours),
        _share_among(real, samples, neighbours),
    )


def _share_among(vectors: Vectors, members: Vectors, neighbours: int) -> float:
    # A member is its own nearest.
    radii = [
        np.partition(_distances(some, members), neighbours, axis=1)[:, neighbours]
        for some in _chunks(members)
    ]
    radius = np.concatenate(radii)
    inside = [(_distances(some, members) <= radius).any(axis=1) for some in _chunks(vectors)]
    return float(np.concatenate(inside).mean())


def _chunks(vectors: Vectors) -> list[Vectors]:
    return np.array_split(vectors, -(-len(vectors) // CHUNK))


def _distances(left: Vectors, right: Vectors) -> Float[np.ndarray, "rows columns"]:
    """Squared, in float64: of equal vectors the difference of large numbers has to vanish."""
    left, right = left.astype(np.float64), right.astype(np.float64)
    squares = (left**2).sum(1)[:, None] + (right**2).sum(1)[None, :] - 2 * left @ right.T
    return np.maximum(squares, 0.0)
