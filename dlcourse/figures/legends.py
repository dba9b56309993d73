"""Legends that do not cover the data."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from dlcourse.figures.layout import Number, text_width

INSIDE = 8  # entries of a legend inside a panel, at most


def legend(*panels: Any, size: Number = 8, **options: Any) -> None:
    """A legend in each panel, or to its right where it would cover the data.

    Args:
        panels: of one figure, their lines drawn and their limits set.
        size: of the font, in points.
        options: of `panel.legend`.
    """
    inside = [panel for panel in panels if panel.get_legend_handles_labels()[0]]
    for panel in inside:
        panel.legend(fontsize=size, **options)
    extra: dict[int, float] = {}  # width to add, by column of panels
    while inside:
        figure = inside[0].get_figure()
        figure.draw_without_rendering()
        covered = [panel for panel in inside if covers_data(panel)]
        if not covered:
            break
        for panel in covered:
            place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
            panel.legend(fontsize=size, **options | place)
            inside.remove(panel)
        figure.draw_without_rendering()
        for panel in covered:
            column = panel.get_subplotspec().colspan.start
            inches = panel.get_legend().get_window_extent().width / figure.dpi
            before = extra.get(column, 0.0)
            extra[column] = max(before, inches)
            figure.set_figwidth(figure.get_figwidth() + extra[column] - before)


def legend_beside(
    figure: Any, *panels: Any, size: Number = 8, place: Literal["right", "below"] = "right"
) -> None:
    """One legend for panels that share their names, outside all of them.

    Args:
        figure: widened if the legend is at the right.
        panels: whose names are shown, each once.
        size: of the font, in points.
        place: `right` of the panels, or `below` them in as many columns as fit.
    """
    named: dict[str, Any] = {}
    for panel in panels:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    if not named:
        return
    labels = list(named)
    if place == "right":
        # Below each other as far as the height reaches.
        columns = -(-len(labels) // max(1, int(figure.get_figheight() * 72 / (1.5 * size)) - 1))
        width = columns * (max(text_width(label, size) for label in labels) + 0.6)
        figure.set_figwidth(figure.get_figwidth() + width)
        where: dict[str, Any] = {"loc": "outside right upper", "ncols": columns}
    else:
        columns = legend_columns(labels, figure.get_figwidth(), size)
        where = {"loc": "outside lower center", "ncols": columns, "frameon": False}
    figure.legend(named.values(), labels, fontsize=size, **where)


def legend_columns(labels: Sequence[str], inches: Number, size: Number = 8) -> int:
    """How many columns of a legend with these labels fit into a width."""
    widest = max(text_width(label, size) for label in labels) + 0.6
    return max(1, min(len(labels), int(inches / widest)))


def covers_data(panel: Any) -> bool:
    """Whether the legend of a panel is long or lies on its lines or bars."""
    if len(panel.get_legend().get_texts()) > INSIDE:
        return True
    box = panel.get_legend().get_window_extent()
    for line in panel.lines:
        if line.get_label().startswith("_"):  # an axis or a reference without a name
            continue
        points = line.get_transform().transform(np.asarray(line.get_xydata(), float))
        if meets(points[np.isfinite(points).all(axis=1)], box):
            return True
    bars = [bar for bar in panel.patches if bar.get_visible()]
    return any(box.overlaps(bar.get_window_extent()) for bar in bars)


def meets(points: np.ndarray, box: Any) -> bool:
    """Whether the line through points `[n, 2]` enters a rectangle (Liang and Barsky, 1984)."""
    starts, steps = points, np.diff(points, axis=0, append=points[-1:])
    low, high = np.array([box.x0, box.y0]), np.array([box.x1, box.y1])
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.sort([(low - starts) / steps, (high - starts) / steps], axis=0)
    inside = (low <= starts) & (starts <= high)
    still = steps == 0
    enter = np.where(still, np.where(inside, -np.inf, np.inf), ends[0]).max(axis=1)
    leave = np.where(still, np.where(inside, np.inf, -np.inf), ends[1]).min(axis=1)
    return bool(np.any(np.maximum(enter, 0.0) <= np.minimum(leave, 1.0)))
