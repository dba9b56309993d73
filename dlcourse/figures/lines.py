"""Lines with bands, and the limits of their axes."""

from typing import Any

import numpy as np

from dlcourse.figures.layout import Number
from dlcourse.figures.looks import Look

MARKS = 10  # markers drawn along one line, at most


def line(
    panel: Any,
    x: Any,
    y: Any,
    look: Look,
    label: str | None = None,
    *,
    spread: Any = None,
    signed: bool | None = None,
    **options: Any,
) -> Any:
    """Draws a curve in its look, with a band if there is a spread.

    Args:
        x, y: `[points]`; nan leaves a gap.
        look: from `looks`.
        spread: `[points]`, the half width of the band `y ± spread`.
        signed: whether the quantity can be negative; if not, the band ends at 0. By default a
            curve without negative values is taken for one of a quantity that cannot be negative.
        options: of `panel.plot`.

    Returns:
        The line.
    """
    x, y = np.asarray(x), np.asarray(y, float)
    if spread is not None:
        spread = np.asarray(spread, float)
        low = y - spread
        if not (signed if signed is not None else np.any(y < 0)):
            low = np.maximum(low, 0.0)
        panel.fill_between(x, low, y + spread, color=look.color, alpha=0.18, linewidth=0)
    drawn = {
        "color": look.color,
        "linestyle": look.dash,
        "marker": look.marker,
        "markersize": 3.5,
        "markevery": max(1, -(-len(x) // MARKS)),
        "linewidth": 1.4,
    }
    return panel.plot(x, y, label=label, **drawn | options)[0]


def over_seeds(panel: Any, x: Any, values: Any, look: Look, label: str | None = None) -> Any:
    """Draws the mean over seeds, with their standard deviation as a band if there are several.

    Args:
        values: `[points, seeds]`.
    """
    values = np.asarray(values, float)
    spread = values.std(1, ddof=1) if values.shape[1] > 1 else None
    return line(panel, x, values.mean(1), look, label, spread=spread)


def zoom(panel: Any, *, least: Number = 0.01) -> None:
    """Fits the limits of a linear y-axis to the lines and bands.

    Args:
        least: the smallest span, as a share of the middle: smaller differences are noise.
    """
    if panel.get_yscale() != "linear":
        return
    bands = [path.vertices[:, 1] for each in panel.collections for path in each.get_paths()]
    lines = [np.asarray(line.get_ydata(), float) for line in panel.lines]
    values = np.concatenate([np.zeros(0), *lines, *bands])
    values = values[np.isfinite(values)]
    if values.size:
        low, high = values.min(), values.max()
        middle = (low + high) / 2
        span = max(1.1 * (high - low), 2 * least * abs(middle), 1e-12)
        panel.set_ylim(middle - span / 2, middle + span / 2)
