"""Counts of labels and predictions by class, and means over classes of their ratios."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Shaped

from dlcourse.errors import UserError
from dlcourse.metrics.means import Mean


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


class UnlessNan(NamedTuple):
    """A metric of counts, which themselves cannot hold nan.

    Attributes:
        metric: of the counts.
        nans: the number of places whose prediction is nan. Both fields merge by adding.
    """

    metric: Any
    nans: Int[Array, "*members"]

    @property
    def value(self) -> Float[ArrayLike, "*members"]:
        """The value of the metric; nan if any prediction was."""
        return np.where(np.asarray(self.nans) > 0, np.nan, self.metric.value)


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
    check_alike(labels, predictions)
    counted = places(labels, mask)
    if ignore is not None:
        counted &= labels != ignore
    known = (labels >= 0) & (labels < num_classes)
    cells = jnp.where(known, labels, num_classes) * num_classes + predictions
    size = num_classes * (num_classes + 1)
    counts = jnp.bincount(cells.ravel(), counted.ravel().astype(jnp.int32), length=size)
    return counts.reshape(num_classes + 1, num_classes)


def places(
    like: Shaped[Array, "batch *rest"], mask: Shaped[Array, " batch"] | None
) -> Bool[Array, "batch *rest"]:
    """Which places of an array count: all those of the examples whose mask is not 0."""
    if mask is None:
        return jnp.ones(like.shape, bool)
    return jnp.broadcast_to((mask > 0).reshape(mask.shape + (1,) * (like.ndim - 1)), like.shape)


def check_alike(labels: Array, predictions: Array) -> None:
    """Refuses shapes that would broadcast: a mask of one row against every row of an image."""
    if labels.shape != predictions.shape:
        raise UserError(
            f"Labels have shape {labels.shape} and predictions {predictions.shape}; "
            "each label needs one prediction."
        )
