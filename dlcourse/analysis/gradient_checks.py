"""Gradient checks over the step of the central difference, drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

from dlcourse.analysis.gradient_check import GradientCheck


def draw_checks(steps: Sequence[float], checks: Mapping[str, Sequence[GradientCheck]]) -> Any:
    """The relative difference of each gradient over ε, and the bounds it is judged by."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), layout="constrained")
    panel = figure.subplots()
    for name, each in checks.items():
        panel.loglog(steps, [check.difference for check in each], "o-", label=name)
    panel.axhline(1e-7, color="gray", linestyle="--", linewidth=1)
    panel.text(steps[-1], 1.3e-7, "right below 1e-7", fontsize=8, color="gray")
    panel.axhline(1e-4, color="gray", linestyle=":", linewidth=1)
    panel.text(steps[-1], 1.3e-4, "wrong above 1e-4", fontsize=8, color="gray")
    worst = list(checks.values())[-1][4]
    panel.set_title(f"the worst leaf of the last: {worst.leaf}", fontsize=10)
    panel.set(xlabel="ε of the central difference", ylabel="relative difference")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)
    return figure
