"""Augmented images, to be looked at before training."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from dlcourse import figures


def draw_augmentations(
    key: Key[Array, ""],
    images: Float[np.ndarray, "batch height width channels"],
    changes: Mapping[str, Callable[[Any, dict[str, Any]], dict[str, Any]]],
) -> Any:
    """The images in the first row, and a row for each augmentation of them.

    Args:
        key: every augmentation draws from it, as in training.
        images: in [0, 1], one per column.
        changes: by name, `(key, batch) -> batch` as `data.augment.per_example` makes them; the
            labels of the batch are the numbers of the columns.
    """
    numbers = np.arange(len(images), dtype=np.int32)
    batch = {"image": images, "label": numbers, "index": numbers}
    rows = {"original": images}
    for name, change in changes.items():
        rows[name] = np.clip(jax.jit(change)(key, batch)["image"], 0.0, 1.0)
    height, width = images.shape[1:3]
    figure, panels = figures.new(
        len(rows), len(images), width=1.5, height=1.5 * height / width, grid=False
    )
    figure.set_figwidth(figure.get_figwidth() + 1.2)
    for line, (name, row) in zip(panels, rows.items(), strict=True):
        for panel, image in zip(line, row, strict=True):
            figures.image(panel, image)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    return figure
