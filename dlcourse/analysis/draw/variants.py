"""The curves of several runs in one panel."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcourse import figures

DASHES = ("--", ":", "-.")  # of references


def draw_variants(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    quantity: str,
    references: Mapping[str, float] | None = None,
    along: str = "step",
) -> Any:
    """One line per run: the mean over its seeds, with their standard deviation as a band.

    Args:
        curves: by run, the steps `[times]` and the metric `[times, seeds]`.
        quantity: the name of the metric.
        references: values of other methods by name, drawn as gray lines, each with its own dashes.
        along: the name of the horizontal axis.
    """
    figure, ((panel,),) = figures.new(width=6.4, height=4.0)
    for (name, (steps, values)), look in zip(
        curves.items(), figures.looks(curves).values(), strict=True
    ):
        figures.over_seeds(panel, steps, values, look, name)
    for (name, value), dashes in zip(
        (references or {}).items(), itertools.cycle(DASHES), strict=False
    ):
        panel.axhline(value, color="gray", linestyle=dashes, linewidth=1.2, label=name)
    figures.zoom(panel)
    panel.set(xlabel=along, ylabel=quantity)
    figures.legend(panel)
    return figure
