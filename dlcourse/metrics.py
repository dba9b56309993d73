"""Metrics that merge exactly: a sum and a weight, so that every example counts once."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Num, Shaped

from dlcourse import boundaries
from dlcourse.errors import UserError


class Mean(NamedTuple):
    """A weighted mean that is not divided yet.

    Two of them merge by adding both fields, so the mean over a set does not depend on how the set
    was cut into batches, padded or spread over devices.
    """

    total: Float[Array, "*members"]
    weight: Float[Array, "*members"]

    @property
    def value(self) -> Float[ArrayLike, "*members"]:
        return self.total / self.weight


class FrechetDistance(NamedTuple):
    """The distance of two sets of vectors as Gaussians, from sums that merge exactly.

        d^2 = |m_1 - m_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))

    with the means m and covariances S (n - 1 in the denominator). On features of a network it is
    the FID of Heusel et al. (2017), on pixels a plain measure of samples of small images.

    Attributes:
        real, generated: the sums over a set of (1, x) (1, x)^T, which hold its size, sum and
            second moments.
    """

    real: Float[Array, "*members rows rows"]
    generated: Float[Array, "*members rows rows"]

    @property
    def value(self) -> Float[ArrayLike, "*members"]:
        (m1, s1), (m2, s2) = _moments(self.real), _moments(self.generated)
        # The eigenvalues of S_1 S_2 are real and not negative, but for rounding.
        roots = np.sqrt(np.maximum(np.linalg.eigvals(s1 @ s2).real, 0.0)).sum(-1)
        traces = np.trace(s1 + s2, axis1=-2, axis2=-1)
        return ((m1 - m2) ** 2).sum(-1) + traces - 2 * roots


def second_moments(
    vectors: Float[Array, "batch d"], mask: Shaped[Array, " batch"] | None = None
) -> Float[Array, "rows rows"]:
    """A side of `FrechetDistance`: the sum of (1, x) (1, x)^T over vectors whose `mask` is 1."""
    mask = jnp.ones(vectors.shape[:1]) if mask is None else mask.astype(jnp.float32)
    vectors = jnp.where(mask[:, None] > 0, vectors.astype(jnp.float32), 0.0)
    vectors = jnp.concatenate([mask[:, None], vectors], axis=1)
    return jnp.einsum("bi,bj->ij", vectors, vectors, precision=jax.lax.Precision.HIGHEST)


def _moments(sums: Float[ArrayLike, "*members rows rows"]) -> tuple[np.ndarray, np.ndarray]:
    sums = np.asarray(sums, np.float64)
    count = sums[..., :1, :1]
    mean = sums[..., 0, 1:] / count[..., 0]
    outer = mean[..., :, None] * mean[..., None, :]
    return mean, (sums[..., 1:, 1:] - count * outer) / (count - 1)


def mean(values: Num[Array, "batch *rest"], mask: Shaped[Array, " batch"] | None = None) -> Mean:
    """The mean of `values` over the examples whose `mask` is 1 (all of them without a mask).

    Axes after the first count as more values of the same example.
    """
    values = values.astype(jnp.float32)
    mask = jnp.ones(values.shape[:1]) if mask is None else mask.astype(jnp.float32)
    weights = jnp.broadcast_to(mask.reshape(mask.shape + (1,) * (values.ndim - 1)), values.shape)
    # `where`, not a product: a padded row may hold inf or nan, and 0 * inf is nan.
    return Mean(jnp.sum(jnp.where(weights > 0, values * weights, 0.0)), jnp.sum(weights))


def scalar(value: Num[Array, ""]) -> Mean:
    """One number that counts as one example: a loss already averaged, a gradient norm."""
    return Mean(jnp.asarray(value, jnp.float32), jnp.ones((), jnp.float32))


def accuracy(
    logits: Float[Array, "batch *rest classes"], labels: Num[Array, "batch *rest"]
) -> Float[Array, "batch *rest"]:
    """1 where the largest logit is the label's, else 0."""
    return (jnp.argmax(logits, axis=-1) == labels).astype(jnp.float32)


class ClassMean(NamedTuple):
    """The mean over classes of a ratio of counts, not divided yet: it merges exactly, as `Mean`.

        value = mean_c total_c / weight_c,    over the classes with weight_c > 0

    The ratio is taken after everything is counted: the mean of each batch's own ratios would
    depend on how the set was cut, and a class that a batch does not hold has none. The counts are
    integers, because float32 stops counting at 2^24 pixels, a hundred photographs.
    """

    total: Int[Array, "*members classes"]
    weight: Int[Array, "*members classes"]

    @property
    def value(self) -> Float[ArrayLike, "*members"]:
        total, weight = np.asarray(self.total), np.asarray(self.weight)
        occurs = weight > 0
        ratios = np.where(occurs, total / np.maximum(weight, 1), 0.0)
        return np.asarray(ratios.sum(-1) / occurs.sum(-1))

    def per_class(self, names: Sequence[str]) -> dict[str, Mean]:
        """The ratio of each class; of a class that never occurred it is 0/0."""
        return {name: Mean(self.total[..., c], self.weight[..., c]) for c, name in enumerate(names)}


def confusion(
    labels: Int[Array, "batch *rest"],
    predictions: Int[Array, "batch *rest"],
    num_classes: int,
    *,
    ignore: int | None = None,
    mask: Shaped[Array, " batch"] | None = None,
) -> Int[Array, "rows classes"]:
    """How often the class of a row was taken for the class of a column, `[classes + 1, classes]`.

    What is labelled `ignore` and what is outside `mask` is not counted. A label that is no class
    is counted as a mistake, in the last row: leaving it out would hide a mask of 0 and 255.

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
    """`n_cc / (Σ_j n_cj + Σ_i n_ic - n_cc)`, each class's intersection over union (Jaccard).

    Arguments:
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
    """`2 P R / (P + R)`, the boundary F-score of each image, mean over classes (Csurka, 2013).

    P is the share of a class's predicted boundary within `tolerance` pixels of its true one, R the
    share of the true one within `tolerance` of the predicted. The mean is over the classes with a
    boundary in either; an image without any scores 1. Pixels labelled `ignore` bound nothing.

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
    """A mask of one row would silently be compared with every row of an image."""
    if labels.shape != predictions.shape:
        raise UserError(
            f"Labels of shape {labels.shape} stand against predictions of shape "
            f"{predictions.shape}; one prediction a label is needed."
        )
