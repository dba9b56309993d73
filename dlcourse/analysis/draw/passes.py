"""Small networks with all their numbers, as the worked example of deck 002."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse import figures

# The weights of each layer, [outputs, inputs], and the activations, [units, examples], from the
# input on.
Pass = tuple[Sequence[np.ndarray], Sequence[np.ndarray]]


def draw_passes(passes: Mapping[str, Pass]) -> Any:
    """The forward pass of one example through small networks, side by side.

    A circle is a unit with its activation, a line is a weight with its value: red if positive,
    blue if negative. Biases are not drawn.

    Args:
        passes: weights and activations of each network, by title; the first example is drawn.
    """
    figure, (panels,) = figures.new(1, len(passes), width=5.2, height=3.8, grid=False)
    for panel, (title, (weights, activations)) in zip(panels, passes.items(), strict=True):
        heights = [np.linspace(1, -1, len(a)) * (len(a) > 1) for a in activations]
        for column, kernel in enumerate(weights):
            _draw_weights(panel, column, heights[column], heights[column + 1], np.asarray(kernel))
        for column, (ys, values) in enumerate(zip(heights, activations, strict=True)):
            for y, value in zip(ys, np.asarray(values)[:, 0], strict=True):
                panel.plot(column, y, "o", markersize=44, color="white", markeredgecolor="black")
                panel.text(column, y, f"{value:.3g}", ha="center", va="center", fontsize=11)
        panel.set(xlim=(-0.35, len(weights) + 0.35), ylim=(-1.5, 1.5))
        figures.title(panel, title)
        panel.axis("off")
    return figure


def _draw_weights(
    panel: Any, column: int, left: np.ndarray, right: np.ndarray, weights: np.ndarray
) -> None:
    for j, here in enumerate(left):
        for k, there in enumerate(right):
            weight = weights[k, j]
            color = figures.POSITIVE if weight > 0 else figures.NEGATIVE
            panel.plot([column, column + 1], [here, there], color=color, linewidth=1.5, zorder=0)
            # Near the left end, where crossing lines are still apart.
            panel.text(
                column + 0.32,
                here + 0.32 * (there - here),
                f"{weight:.3f}",
                ha="center",
                va="center",
                fontsize=9,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
