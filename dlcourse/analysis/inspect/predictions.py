"""The predictions of a trained model on a split: confusion, worst mistakes, masks."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from dlcourse.analysis.draw.classification import draw_confusion, draw_mistakes
from dlcourse.data import IGNORE, Dataset
from dlcourse.learner import Apply, Batch, State


def predictions(
    apply: Apply, state: State, data: Dataset, split: str = "test", batch_size: int = 250
) -> tuple[Any, np.ndarray]:
    """Outputs and labels of every example of a split, in its order: `[n, ...]` and `[n]`.

    Outputs are an array, or a dict of arrays.

    Args:
        apply: the learner's forward pass, compiled once for each set it is used with.
        data: read batch by batch, so that a streamed set fits.
    """
    indices, mask = data.padded(split, min(batch_size, len(data.splits[split])))
    outputs, labels = [], []
    for row in indices:
        batch = jax.tree.map(jnp.asarray, data.read(row))
        outputs.append(jax.device_get(_forward(apply, data.prepare, state, batch)))
        labels.append(np.asarray(batch["label"]))
    counts = mask.reshape(-1) > 0
    whole = jax.tree.map(lambda *parts: np.concatenate(parts)[counts], *outputs)
    return whole, np.concatenate(labels)[counts]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _forward(apply: Apply, prepare: Callable, state: State, batch: Batch) -> Any:
    """The outputs of a batch as it was read; compiled once for all figures of a model."""
    return apply(state, prepare(batch), jax.random.key(0))


def worst_mistakes(
    logits: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"], most: int = 24
) -> tuple[Int[np.ndarray, " mistakes"], Float[np.ndarray, " mistakes"]]:
    """The places of the wrong predictions of highest probability, worst first, and these."""
    log_probs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    probabilities = np.exp(log_probs.max(-1))
    wrong = np.flatnonzero(logits.argmax(-1) != labels)
    worst = wrong[np.argsort(-probabilities[wrong], kind="stable")][:most]
    return worst, probabilities[worst]


def classification(apply: Apply, data: Dataset) -> dict[str, Callable[[Any], Any]]:
    """The figures of an image classifier, for `training.Experiment`, by file name.

    `confusion` counts the test examples by class and predicted class; `mistakes` shows the test
    images with the wrong predictions of highest probability.

    Args:
        apply: the learner's forward pass; its outputs are logits.
        data: a set of labelled images.
    """

    def confusion(state: Any) -> Any:
        logits, labels = predictions(apply, state, data)
        return draw_confusion(labels, logits.argmax(-1), data.classes)

    def mistakes(state: Any) -> Any:
        logits, labels = predictions(apply, state, data)
        predicted = logits.argmax(-1)
        worst, probabilities = worst_mistakes(logits, labels)
        images = np.asarray(data.read(data.splits["test"][worst])["image"])
        names = [(data.classes[labels[place]], data.classes[predicted[place]]) for place in worst]
        wrong = int(np.sum(predicted != labels))
        return draw_mistakes(images, names, probabilities, wrong, len(labels))

    return {"confusion": confusion, "mistakes": mistakes}


def predict_masks(
    apply: Apply, state: State, data: Dataset, count: int, split: str = "test"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, true masks and predicted masks of the first `count` examples of a split.

    Rows at the bottom and columns at the right that are `IGNORE` in all images are cut off: they
    are padding.

    Args:
        apply: the learner's forward pass; its outputs are logits at every pixel.
    """
    batch = data.prepare(data.read(data.splits[split][:count]))
    batch = jax.tree.map(jnp.asarray, batch)
    logits = jax.jit(apply)(state, batch, jax.random.key(0))
    known = np.any(np.asarray(batch["label"]) != IGNORE, axis=0)
    height, width = (int(np.flatnonzero(known.any(axis))[-1]) + 1 for axis in (1, 0))
    shown = (np.asarray(a) for a in (batch["image"], batch["label"], jnp.argmax(logits, axis=-1)))
    image, label, predicted = (array[:, :height, :width] for array in shown)
    return image, label, predicted
