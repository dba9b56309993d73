"""Samples of a generative model: drawn, and measured."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from dlcourse.analysis.draw.samples import animate_grid, draw_grid
from dlcourse.analysis.measure.extractor import Extractor
from dlcourse.analysis.measure.quality import Quality, quality
from dlcourse.data import Dataset
from dlcourse.learner import Apply, State

CHUNK = 500  # images at once


def samples(
    apply: Apply,
    state: State,
    count: int,
    *,
    labels: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Samples of a trained model, `[count, height, width, channels]` in [0, 1].

    Sample i depends on the seed and on i alone.

    Args:
        apply: that of a generative learner, which gives a sample for each `index`.
        state: the learner's.
        count: how many.
        labels: the class of each, for models of classes.
        seed: of the draws.
    """
    run: Any = jax.jit(apply)  # shared by the calls with the same function
    key, found = jax.random.key(seed), []
    for first in range(0, count, CHUNK):
        index = np.arange(first, first + min(CHUNK, count), dtype=np.int32)
        batch: dict[str, Any] = {"index": index}
        if labels is not None:
            batch["label"] = np.resize(labels, first + len(index))[first:].astype(np.int32)
        found.append(np.asarray(run(state, batch, key)))
    return np.concatenate(found)[:count]


def sample_grid(
    apply: Apply, *, labels: np.ndarray | None = None, seed: int = 0, rows: int = 8
) -> Callable[[Any], Any]:
    """A figure of `rows`² samples, drawn with the same random numbers at every call.

    Args:
        apply: as in `samples`.
        labels: the class of each sample, row by row.
        seed: of the draws.
        rows: of the grid.

    Returns:
        `state -> figure`, for `training.Experiment`.
    """
    return lambda state: draw_grid(
        samples(apply, state, rows * rows, labels=labels, seed=seed), rows
    )


def sample_path(
    draw: Callable[..., Any], *, labels: np.ndarray | None = None, rows: int = 8
) -> Callable[[Any], Any]:
    """An animation of samples as they form, and the end once more.

    Args:
        draw: a function like `apply` whose result has a `path`, `[steps, samples, ...]`.
        labels: as in `sample_grid`.
        rows: of the grid.
    """

    def path(state: State, batch: Mapping[str, Any], key: Any) -> Any:
        return jax.numpy.moveaxis(draw(state, batch, key).path, 0, 1)

    def animate(state: Any) -> Any:
        frames = np.moveaxis(samples(path, state, rows * rows, labels=labels), 1, 0)
        return animate_grid(frames, rows)

    return animate


def quality_of_images(images: Dataset, features: Extractor, *, split: str = "test") -> Quality:
    """The quality of as many training images in place of samples: the best to be expected."""
    real = _images(images, split)
    describe = _describer(features)
    return quality(describe(real), describe(_images(images, "train", len(real))))


def quality_rows(
    models: Mapping[str, tuple[Apply, Sequence[State]]],
    images: Dataset,
    features: Extractor,
    *,
    labelled: bool = False,
) -> dict[str, dict[str, np.ndarray]]:
    """Rows of a table: the quality of models on the test split, and of training images.

    A model draws as many samples as the split has images.

    Args:
        models: by row, what draws samples (see `samples`) and the state of each seed.
        images: the data set.
        features: where they are compared.
        labelled: draw the classes of the split.
    """
    describe, real = _describer(features), _images(images, "test")
    expected, labels = describe(real), images.labels("test") if labelled else None

    def of(apply: Apply, state: State) -> Quality:
        return quality(expected, describe(samples(apply, state, len(real), labels=labels)))

    found = {
        row: [of(apply, state) for state in states] for row, (apply, states) in models.items()
    } | {"training images": [quality_of_images(images, features)]}
    return {
        row: {name: np.array([getattr(each, name) for each in seeds]) for name in Quality._fields}
        for row, seeds in found.items()
    }


def _images(images: Dataset, split: str, count: int | None = None) -> np.ndarray:
    numbers = images.splits[split]
    if count is not None:
        numbers = np.random.default_rng(0).permutation(numbers)[:count]
    return np.asarray(images.prepare(images.read(numbers))["image"])


def _describer(features: Extractor) -> Callable[[np.ndarray], np.ndarray]:
    """A function from images to features, compiled once for chunks of one size."""
    run = jax.jit(features.__call__)

    def describe(images: np.ndarray) -> np.ndarray:
        chunks = np.array_split(images, -(-len(images) // CHUNK))
        return np.concatenate([np.asarray(run(chunk)) for chunk in chunks])

    return describe
