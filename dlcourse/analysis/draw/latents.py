"""Codes in the plane, and images in named rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from dlcourse import figures
from dlcourse.analysis.draw.samples import INCHES, picture


def draw_rows(rows: Mapping[str, Float[np.ndarray, "n height width channels"]]) -> Any:
    """Images side by side, a named row for each kind.

    Args:
        rows: by name, as many images in each, in [0, 1]; other values are clipped.
    """
    width = next(iter(rows.values())).shape[2]
    shown = picture(np.concatenate(list(rows.values())), len(next(iter(rows.values()))))
    scale = INCHES / width
    size = {"width": scale * shown.shape[1] + 1.6, "height": scale * shown.shape[0] + 0.1}
    figure, ((panel,),) = figures.new(**size, grid=False)
    figures.image(panel, shown)
    step = shown.shape[0] / len(rows)
    panel.set_yticks(step * (np.arange(len(rows)) + 0.5) - 0.5, list(rows), fontsize=9)
    panel.tick_params(left=False)
    panel.spines[:].set_visible(False)
    return figure


def draw_codes(
    codes: Float[np.ndarray, "n 2"],
    labels: Int[np.ndarray, " n"],
    classes: Sequence[str],
    plane: Float[np.ndarray, "rows columns height width channels"] | None = None,
    span: float = 3.0,
) -> Any:
    """Codes of images in the plane, each as the name of its class.

    Args:
        codes: of images.
        labels: their classes.
        classes: names.
        plane: decoded images of a grid of codes from -span to span, the lowest row first, which are
            drawn beside the codes.
        span: of the grid.
    """
    count = 1 if plane is None else 2
    figure, (panels,) = figures.new(1, count, width=5.4, height=5.2, grid=False)
    panel = panels[0]
    for label, look in zip(range(len(classes)), figures.looks(classes).values(), strict=True):
        of_class = codes[labels == label]
        for place in of_class:
            panel.text(
                *place, classes[label], color=look.color, fontsize=7, ha="center", va="center",
                clip_on=True,
            )  # fmt: skip
    low, high = np.quantile(codes, [0.002, 0.998], axis=0)
    if plane is not None:
        low, high = np.full(2, -span), np.full(2, span)
        rows, columns, *shape = plane.shape
        tiles = picture(plane[::-1].reshape(rows * columns, *shape), columns)
        figures.image(panels[1], tiles, extent=(-span, span, -span, span))
        panels[1].set(xticks=[-span, 0, span], yticks=[-span, 0, span])
        figures.title(panels[1], "decoded images")
        figures.title(panel, "codes of test images")
    margin = 0.03 * (high - low)
    panel.set(xlim=(low[0] - margin[0], high[0] + margin[0]), aspect="auto")
    panel.set_ylim(low[1] - margin[1], high[1] + margin[1])
    for each in panels:
        each.set(xlabel="$z_1$", ylabel="$z_2$")
    return figure
