"""A small network drawn with every number in it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse.models.foundations.backpropagation import Layer, Pass


def draw_passes(passes: Mapping[str, tuple[Sequence[Layer], Pass]]) -> Any:
    """The forward pass of one example through small networks, one beside the other.

    A circle is a neuron with its activation, a line a weight with its value: red for positive,
    blue for negative, as in deck 003. Biases are not drawn.

    Args:
        passes: the layers and what `backpropagation.forward` made of them, by title.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(passes), 3.8), layout="constrained")
    panels = figure.subplots(1, len(passes), squeeze=False)[0]
    for panel, (title, (layers, passed)) in zip(panels, passes.items(), strict=True):
        heights = [np.linspace(1, -1, len(a)) * (len(a) > 1) for a in passed.A]
        for column, layer in enumerate(layers):
            _draw_weights(panel, column, heights[column], heights[column + 1], np.asarray(layer.W))
        for column, (ys, values) in enumerate(zip(heights, passed.A, strict=True)):
            for y, value in zip(ys, np.asarray(values)[:, 0], strict=True):
                panel.plot(column, y, "o", markersize=44, color="white", markeredgecolor="black")
                panel.text(column, y, f"{value:.3g}", ha="center", va="center", fontsize=11)
        panel.set(xlim=(-0.35, len(layers) + 0.35), ylim=(-1.5, 1.5), title=title)
        panel.axis("off")
    return figure


def _draw_weights(
    panel: Any, column: int, left: np.ndarray, right: np.ndarray, weights: np.ndarray
) -> None:
    for j, here in enumerate(left):
        for k, there in enumerate(right):
            weight = weights[k, j]
            color = "tab:red" if weight > 0 else "tab:blue"
            panel.plot([column, column + 1], [here, there], color=color, linewidth=1.5, zorder=0)
            # Nearer to the left end, where lines that cross are still apart.
            panel.text(
                column + 0.32,
                here + 0.32 * (there - here),
                f"{weight:.3f}",
                ha="center",
                va="center",
                fontsize=9,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
