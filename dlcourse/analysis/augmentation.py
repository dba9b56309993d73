"""What augmentation makes of images, to be looked at before anything is trained on it."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Key


def draw_augmentations(
    key: Key[Array, ""],
    images: Float[np.ndarray, "batch height width channels"],
    changes: Mapping[str, Callable[[Any, dict[str, Any]], dict[str, Any]]],
) -> Any:
    """The images as they are in the first row, and a row for each change of them.

    Arguments:
        key: from which every change draws, as in training.
        images: in [0, 1], a column each.
        changes: by name, `(key, batch) -> batch` as `data.augment.per_example` makes them; the
            labels of the batch are the columns' numbers.
    """
    from matplotlib.figure import Figure

    numbers = np.arange(len(images), dtype=np.int32)
    batch = {"image": images, "label": numbers, "index": numbers}
    rows = {"as it is": images}
    for name, change in changes.items():
        rows[name] = np.clip(jax.jit(change)(key, batch)["image"], 0.0, 1.0)
    height, width = images.shape[1:3]
    figure = Figure(
        figsize=(1.2 + 1.5 * len(images), 1.5 * len(rows) * height / width), layout="constrained"
    )
    panels = figure.subplots(len(rows), len(images), squeeze=False)
    for line, (name, row) in zip(panels, rows.items(), strict=True):
        for panel, image in zip(line, row, strict=True):
            grey = image.shape[-1] == 1
            panel.imshow(image.squeeze(), cmap="gray" if grey else None, vmin=0, vmax=1)
            panel.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    return figure
