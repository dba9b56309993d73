"""The curves of several runs in one panel."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcourse import figures


def draw_variants(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], quantity: str) -> Any:
    """One line per run: the mean over its seeds, with their standard deviation as a band.

    Args:
        curves: by run, the steps `[times]` and the metric `[times, seeds]`.
        quantity: the name of the metric.
    """
    figure, ((panel,),) = figures.new(width=6.4, height=4.0)
    for (name, (steps, values)), look in zip(
        curves.items(), figures.looks(curves).values(), strict=True
    ):
        figures.over_seeds(panel, steps, values, look, name)
    figures.zoom(panel)
    panel.set(xlabel="step", ylabel=quantity)
    figures.legend(panel)
    return figure
