"""Bias and variance over the number of examples and the capacity of the model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures
from dlcourse.analysis.measure.diagnosis import diagnose

Curves = tuple[Float[np.ndarray, " times"], Float[np.ndarray, " times"]]

SHADES = {"underfitting": "#88ccee", "overfitting": "#cc6677", "good": "#ddcc77"}


def draw_bias_variance(curves: Mapping[tuple[int, int], Curves], acceptable: float) -> Any:
    """The last losses over training size and over capacity, and the verdict for every pair.

    Args:
        curves: train and validation losses by (number of examples, number of hidden units); every
            pair of the two is needed.
        acceptable: as in `diagnose`.
    """
    from matplotlib.patches import Patch, Rectangle

    sizes = sorted({size for size, _ in curves})
    widths = sorted({width for _, width in curves})
    figure, (panels,) = figures.new(1, 3, width=4.6, height=4.2, width_ratios=(4, 4, 5))
    over_size, over_width, grid = panels
    largest = [(size, widths[-1]) for size in sizes], [(sizes[-1], width) for width in widths]
    looks = figures.looks(["train", "validation"])
    for panel, places, x in zip((over_size, over_width), largest, (sizes, widths), strict=True):
        for split, (name, look) in enumerate(looks.items()):
            last = [curves[place][split][-1] for place in places]
            figures.line(panel, x, last, look, name, markersize=5)
        panel.axhline(acceptable, color="gray", linestyle=":", label="acceptable")
        panel.set(xscale="log", yscale="log", ylabel="cross-entropy")
        panel.set_xticks(x, x)
        panel.xaxis.minorticks_off()
    over_size.set_xlabel("training examples")
    figures.title(over_size, f"{widths[-1]} hidden units")
    over_width.set_xlabel("hidden units")
    figures.title(over_width, f"{sizes[-1]} training examples")
    grid.grid(False)
    for row, size in enumerate(sizes):
        for column, width in enumerate(widths):
            train, validation = curves[size, width]
            verdict = diagnose(train, validation, acceptable).verdict
            grid.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=SHADES[verdict], alpha=0.6)
            )
            text = f"{train[-1]:.2g}\n{validation[-1]:.2g}"
            grid.text(column, row, text, ha="center", va="center", fontsize=9)
    grid.set_xticks(range(len(widths)), widths)
    grid.set_yticks(range(len(sizes)), sizes)
    grid.set(xlim=(-0.5, len(widths) - 0.5), ylim=(-0.5, len(sizes) - 0.5))
    grid.set(xlabel="hidden units", ylabel="training examples")
    figures.title(grid, "train loss (above) and validation loss (below)")
    patches = [Patch(color=color, alpha=0.6, label=name) for name, color in SHADES.items()]
    figures.legend(over_size, over_width)
    grid.legend(
        handles=patches,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.15),
        ncols=3,
        fontsize=8,
        frameon=False,
    )
    return figure
