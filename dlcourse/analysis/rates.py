"""Learning-rate schedules, drawn."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def draw_schedules(schedules: Mapping[str, Callable[[Any], Any]], steps: int) -> Any:
    """The rate of each schedule over the steps of a run, as a share of the highest of all."""
    from matplotlib.figure import Figure

    t = np.arange(steps)
    rates = {name: np.asarray(schedule(t)) for name, schedule in schedules.items()}
    highest = max(rate.max() for rate in rates.values())
    columns = 4
    rows = -(-len(rates) // columns)
    figure = Figure(figsize=(3 * columns, 2.1 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).reshape(-1)
    for panel, (name, rate) in zip(panels, rates.items(), strict=False):
        panel.plot(t, np.broadcast_to(rate, t.shape) / highest)
        panel.set_title(name, fontsize=10)
        panel.grid(alpha=0.3)
    for panel in panels[len(rates) :]:
        panel.set_visible(False)
    figure.supxlabel("step", fontsize=10)
    figure.supylabel("rate, share of the highest", fontsize=10)
    return figure
