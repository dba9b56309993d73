"""Weights of attention as pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures


def draw_attention(
    weights: Float[np.ndarray, "pictures queries keys"],
    titles: Sequence[str],
    queries: Sequence[Sequence[str]],
    keys: Sequence[Sequence[str]],
) -> Any:
    """One picture for each head or example: a row for each query, dark where it looks.

    Args:
        weights: each row sums to 1.
        titles: of the pictures.
        queries: what stands at the rows of each picture.
        keys: what stands at its columns.
    """
    figure, panels = figures.new(1, len(weights), width=4.2, height=4.2, grid=False)
    for panel, picture, title, down, across in zip(
        panels[0], weights, titles, queries, keys, strict=True
    ):
        panel.imshow(picture, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        turned = 90 if max(map(len, across)) > 2 else 0  # words would overlap
        panel.set_xticks(range(len(across)), across, fontsize=7, rotation=turned)
        panel.set_yticks(range(len(down)), down, fontsize=7)
        panel.set(xlabel="looks at", ylabel="output")
        figures.title(panel, title)
    return figure


def draw_patch_attention(
    images: Float[np.ndarray, "n height width channels"],
    weights: Float[np.ndarray, "n maps rows columns"],
    names: Sequence[str],
    titles: Sequence[str],
) -> Any:
    """A row for each image: the image, then each map of attention over it, red where it is read.

    Args:
        images: in [0, 1].
        weights: of the patches; each map sums to at most 1, and is drawn relative to its greatest.
        names: of the maps.
        titles: of the images.
    """
    figure, panels = figures.new(len(images), 1 + len(names), width=1.15, height=1.2, grid=False)
    height, width = images.shape[1:3]
    for row, (image, maps, title) in enumerate(zip(images, weights, titles, strict=True)):
        figures.image(panels[row, 0], image)
        panels[row, 0].set_ylabel(title, fontsize=8)
        for panel, name, each in zip(panels[row, 1:], names, maps, strict=True):
            figures.image(panel, image)
            red = np.zeros((*each.shape, 4))
            red[..., 0], red[..., 3] = 1, 0.8 * each / each.max()
            box = (-0.5, width - 0.5, height - 0.5, -0.5)
            panel.imshow(red, interpolation="nearest", extent=box)
            if not row:
                panel.set_title(name, fontsize=8, pad=3)
    return figure
