"""Gradient checks over the step of the central differences."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse import figures
from dlcourse.analysis.measure.gradient_check import RIGHT, WRONG, GradientCheck


def draw_checks(steps: Sequence[float], checks: Mapping[str, Sequence[GradientCheck]]) -> Any:
    """The relative difference of each gradient over ε, with the limits that judge it.

    Args:
        steps: the values of ε.
        checks: by name of the gradient, a check at each step. Where every check is above the
            limit, the label names the leaf with the error.
    """
    figure, ((panel,),) = figures.new(width=6.4, height=4.0)
    for (name, each), look in zip(checks.items(), figures.looks(checks).values(), strict=True):
        best = min(each, key=lambda check: check.difference)
        label = name if best.difference < RIGHT else f"{name}: error in {best.leaf}"
        figures.line(panel, steps, [check.difference for check in each], look, label)
    panel.set(xscale="log", yscale="log")
    middle = np.sqrt(steps[0] * steps[-1])
    for bound, meaning, style in ((RIGHT, "correct below", "--"), (WRONG, "wrong above", ":")):
        panel.axhline(bound, color="gray", linestyle=style, linewidth=1)
        text = f"{meaning} {bound:.0e}".replace("e-0", "e-")
        panel.text(middle, 1.3 * bound, text, fontsize=8, color="gray", ha="center")
    figures.title(panel, "gradients against central differences")
    panel.set(xlabel="ε of the central difference", ylabel="relative difference")
    figures.legend(panel)
    return figure
