"""Runs of one command in one panel: how a metric went for each, over its seeds."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def draw_variants(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], quantity: str) -> Any:
    """A line for each run, the mean over its seeds, with their standard deviation as a band.

    Args:
        curves: by run, the steps `[times]` and the metric `[times, seeds]`.
        quantity: what the metric is.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    panel = figure.subplots()
    for number, (name, (steps, values)) in enumerate(curves.items()):
        mean = values.mean(1)
        style = ("-", "--", ":")[number // 10 % 3]
        panel.plot(steps, mean, style, marker=".", color=f"C{number % 10}", label=name)
        if values.shape[1] > 1:
            spread = values.std(1, ddof=1)
            panel.fill_between(steps, mean - spread, mean + spread, alpha=0.15, linewidth=0)
    panel.set(xlabel="step", ylabel=quantity)
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)
    return figure
