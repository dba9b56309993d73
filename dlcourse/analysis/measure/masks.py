"""Metrics of predicted masks, and the pixels of each class in a set."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from dlcourse import metrics
from dlcourse.data import Dataset
from dlcourse.learner import Apply, Batch, Metrics, State


def mask_metrics(
    apply: Apply, classes: Sequence[str], ignore: int
) -> Callable[[State, Batch], Metrics]:
    """Metrics of a segmentation, for `learners.measured`.

    `iou` is the intersection over union, averaged over classes and counted over the whole split;
    `class_iou/NAME` is that of one class; `pixels` is the share of correct pixels; `boundary_f` is
    the boundary F-score.

    Args:
        apply: the learner's forward pass, to logits `[batch, height, width, classes]`.
        classes: their names.
        ignore: the label of pixels that are not counted.

    Returns:
        `(state, batch) -> metrics`.
    """

    def measure(state: State, batch: Batch) -> Metrics:
        logits = apply(state, batch, jax.random.key(0))
        found, labels = jnp.argmax(logits, axis=-1), batch["label"]
        mask = batch.get("mask")
        counts = metrics.confusion(labels, found, len(classes), ignore=ignore, mask=mask)
        iou = metrics.iou(counts)
        borders = metrics.boundary_f(labels, found, len(classes), ignore=ignore)
        named = {f"class_iou/{name}": value for name, value in iou.per_class(classes).items()}
        right = metrics.Mean(jnp.trace(counts), jnp.sum(counts))
        return {"iou": iou, "pixels": right, "boundary_f": metrics.mean(borders, mask), **named}

    return measure


def class_pixels(data: Dataset, split: str = "train") -> Int[np.ndarray, "images classes"]:
    """The number of pixels of each class in each image of a split, without ignored pixels."""
    counted = []
    for indices in np.array_split(data.splits[split], -(-len(data.splits[split]) // 32)):
        labels = np.asarray(data.prepare(data.read(indices))["label"])
        each_class = [(labels == number).sum((1, 2)) for number in range(data.num_classes)]
        counted.append(np.stack(each_class, axis=-1))
    return np.concatenate(counted)
