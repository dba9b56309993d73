"""Metrics of class maps: overlap of regions, and nearness of their boundaries."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dlcourse import boundaries
from dlcourse.metrics.counts import ClassMean, check_alike


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
    check_alike(labels, predictions)
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
