"""Results of several runs as points with error bars, beside their references."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from dlcourse import figures

MOST_COLUMNS = 6  # panels of one figure
WIDE = 300  # ratio of the largest and the smallest mean from which an axis is logarithmic


class Column(NamedTuple):
    """One measured quantity of all rows.

    Attributes:
        name: of the quantity, with its unit.
        means, stds: over the seeds of each row; nan for a missing cell or a single seed.
        texts: the numbers as text.
        references: the target of each row, nan without one.
    """

    name: str
    means: Float[np.ndarray, " rows"]
    stds: Float[np.ndarray, " rows"]
    texts: Sequence[str]
    references: Float[np.ndarray, " rows"]


def draw_table(
    title: str, rows: Sequence[str], columns: Sequence[Column], diverged: Sequence[str] = ()
) -> Any:
    """One panel per quantity with a point per row, its standard deviation, and its reference.

    The axes are zoomed to the data. An axis is logarithmic if its means are not negative and the
    positive ones span a factor of 300 or more; there a zero is drawn at the left end. Of more than
    6 columns, the first 6 are drawn.

    Args:
        title: of the figure.
        rows: names, from top to bottom.
        columns: the quantities.
        diverged: rows to be marked as diverged.
    """
    shown = columns[:MOST_COLUMNS]
    width = 6.4 if len(shown) == 1 else 3.4
    figure, (panels,) = figures.new(
        1, len(shown), width=width, height=1.3 + 0.45 * len(rows), sharey=True
    )
    places = np.arange(len(rows))[::-1]
    for panel, column in zip(panels, shown, strict=True):
        _draw_column(panel, column, places)
        for place, row in zip(places, rows, strict=True):
            if row in diverged:
                panel.text(
                    0.02, place, "diverged", transform=panel.get_yaxis_transform(), va="center",
                    fontsize=8, color="gray",
                )  # fmt: skip
    panels[0].set_yticks(places, rows, fontsize=9)
    panels[0].set_ylim(-0.6, len(rows) - 0.2)
    if len(shown) < len(columns):
        title += f" (the first {len(shown)} of {len(columns)} columns)"
    # The names of the rows take part of the figure's width, so the title stands above all of it.
    figures.title(figure, title, size=11)
    if any(np.isfinite(column.references).any() for column in shown):
        for panel, column in zip(panels, shown, strict=True):
            if np.isfinite(column.references).any():
                figures.legend_beside(figure, panel, place="below")
                break
    return figure


def _draw_column(panel: Any, column: Column, places: np.ndarray) -> None:
    known = np.isfinite(column.means)
    spread = np.nan_to_num(column.stds)
    below = np.where(column.means < 0, spread, np.minimum(spread, np.abs(column.means)))
    floor = _floor_of_log_axis(column.means[known])
    means = column.means if floor is None else np.maximum(column.means, floor)
    panel.errorbar(
        means[known], places[known], xerr=np.stack([below, spread])[:, known],
        fmt="o", color=figures.COLORS[0], markersize=5, capsize=3, elinewidth=1.2,
        label="measured, mean ± std",
    )  # fmt: skip
    targets = np.isfinite(column.references)
    if targets.any():
        panel.plot(
            column.references[targets], places[targets], "|", color="black", markersize=16,
            markeredgewidth=2, label="reference",
        )  # fmt: skip
    for mean, place, text in zip(means, places, column.texts, strict=True):
        if np.isfinite(mean):
            panel.annotate(
                text, (mean, place), xytext=(0, 7), textcoords="offset points", ha="center",
                fontsize=8,
            )  # fmt: skip
    values = np.concatenate([column.means - below, column.means + spread, column.references])
    values = values[np.isfinite(values)]
    if floor is not None:
        room = (values.max() / floor) ** 0.25
        panel.set_xscale("log")
        panel.set_xlim(floor / room, values.max() * room)
    elif values.size:
        low, high = values.min(), values.max()
        # Room for the numbers; differences below a hundredth are not magnified.
        margin = max(0.3 * (high - low), 0.01 * abs(high)) or 1.0
        left = low - margin if low < 0 else max(low - margin, -0.25 * high)
        panel.set_xlim(left, high + margin)
        panel.locator_params(axis="x", nbins=5)
    panel.set_xlabel(column.name)


def _floor_of_log_axis(means: np.ndarray) -> float | None:
    """The smallest value on a logarithmic axis; None for a linear axis."""
    positive = means[means > 0]
    if (means < 0).any() or not positive.size or positive.max() < WIDE * positive.min():
        return None
    return float(positive.min()) / (10.0 if (means == 0).any() else 1.0)
