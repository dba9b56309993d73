"""Approximations of a function by networks of one hidden layer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures
from dlcourse.analysis.measure.approximation import Fits, largest_errors


def draw_approximation(
    x: Float[np.ndarray, " points"], y: Float[np.ndarray, " points"], fits: Fits, shown: Sequence
) -> Any:
    """Left the target and some approximations, right the largest error against width.

    The errors are drawn as the median over seeds, with a band from the smallest to the largest.

    Args:
        x, y: points of the target.
        fits: the approximations, by width and kind of network, one per seed.
        shown: the networks to draw on the left, as (kind, width).
    """
    figure, ((left, right),) = figures.new(1, 2, width=5.4, height=4.0)
    left.plot(x, y, color="black", linewidth=4, alpha=0.25, label="target")
    labels = {f"{kind}, {width} units": fits[width][kind][0] for kind, width in shown}
    for (label, fit), look in zip(labels.items(), figures.looks(labels).values(), strict=True):
        figures.line(left, x, fit, look, label)
    left.set_xlabel("x")
    figures.title(left, "target and trained networks")
    errors = largest_errors(fits, y)
    kinds = dict.fromkeys(kind for kinds in errors.values() for kind in kinds)
    for kind, look in figures.looks(kinds).items():
        widths = [width for width, kinds in errors.items() if kind in kinds]
        values = np.stack([errors[width][kind] for width in widths])
        right.fill_between(
            widths, values.min(1), values.max(1), color=look.color, alpha=0.18, linewidth=0
        )
        figures.line(right, widths, np.median(values, axis=1), look, kind)
    right.set_xscale("log", base=2)
    right.set_yscale("log")
    right.set_xticks(list(errors), [str(width) for width in errors])
    right.xaxis.minorticks_off()
    right.set(xlabel="hidden units", ylabel="sup |f(x) - g(x)|")
    figures.title(right, "largest error: median and range over seeds")
    figures.legend(left, right)
    return figure
