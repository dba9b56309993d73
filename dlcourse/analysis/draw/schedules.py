"""Learning-rate schedules over the steps of a run."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlcourse import figures


def draw_schedules(schedules: Mapping[str, Callable[[Any], Any]], steps: int) -> Any:
    """The learning rate of each schedule at each step, as a share of the highest of all.

    Args:
        schedules: by name, from steps `[steps]` to rates.
        steps: of the run.
    """
    t = np.arange(steps)
    rates = {name: np.asarray(schedule(t)) for name, schedule in schedules.items()}
    highest = max(rate.max() for rate in rates.values())
    columns = min(4, len(rates))
    rows = -(-len(rates) // columns)
    figure, panels = figures.new(rows, columns, width=3, height=2.1, sharex=True, sharey=True)
    (look,) = figures.looks(["rate"]).values()
    for panel, (name, rate) in zip(panels.flat, rates.items(), strict=False):
        figures.line(panel, t, np.broadcast_to(rate, t.shape) / highest, look, marker="")
        figures.title(panel, name)
    for panel in panels.flat[len(rates) :]:
        panel.set_visible(False)
    for panel in panels.flat[max(0, len(rates) - columns) : len(rates)]:
        panel.tick_params(labelbottom=True)
    figure.supxlabel("step", fontsize=10)
    figure.supylabel("learning rate, share of the highest", fontsize=10)
    return figure
