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
