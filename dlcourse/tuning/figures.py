"""Figures of a study: every trial as a line through its values, and what mattered."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse.tuning.space import Choice, Dimension, LogUniform, Number, Space, short, text
from dlcourse.tuning.trial import Trial, ranked


def draw_parallel(trials: Sequence[Trial], space: Space, metric: str) -> Any:
    """Parallel coordinates (Inselberg, 1985): an axis for each option and one for the metric.

    The better a trial, the darker its line and the higher its end; the best is red. Trials that
    were pruned or diverged are dotted and end before the metric.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    direction, _, measured = metric.partition(" ")
    worst_first = ranked(trials, maximize=direction == "max")[::-1]
    values, last = [short(trial.value) for trial in worst_first], len(worst_first) - 1
    figure = Figure(figsize=(1.8 + 1.7 * (len(space) + 1), 4.2), layout="constrained")
    panel = figure.subplots()
    for trial in trials:
        if trial.state in ("pruned", "diverged"):
            panel.plot(range(len(space)), _heights(trial, space), ":", color="0.6", lw=0.8)
    for place, trial in enumerate(worst_first):
        goodness = place / max(1, last)
        style: dict[str, Any] = {"color": colormaps["YlGnBu"](0.2 + 0.75 * goodness), "lw": 1.0}
        if place == last:
            style = {"color": "C3", "lw": 2.5, "zorder": 3}
        panel.plot(range(len(space) + 1), [*_heights(trial, space), goodness], **style)
    for x, (name, dimension) in enumerate(space.items()):
        _axis(panel, x, name, _ticks(dimension))
    # The metric's axis is of ranks: one bad trial would push all others together at its top.
    places = np.unique(np.linspace(0, last, 6).round().astype(int))
    marks = {float(place / max(1, last)): values[place] for place in places}
    _axis(panel, len(space), measured, marks)
    panel.set(xlim=(-0.3, len(space) + 0.6), ylim=(-0.12, 1.04))
    panel.axis("off")
    title = f"{len(values)} trials by rank, the best in red: {measured} {values[-1]}"
    if len(trials) > len(values):
        title += f"; dotted: {len(trials) - len(values)} without a result"
    panel.set_title(title, fontsize=10)
    return figure


def draw_importances(importances: Mapping[str, float], metric: str, trials: int) -> Any:
    """The share of each option in the variance of the metric over the space (see `Study`)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 1.2 + 0.4 * len(importances)), layout="constrained")
    panel = figure.subplots()
    names, shares = zip(*reversed(list(importances.items())), strict=True)
    bars = panel.barh([name.replace("_", " ") for name in names], shares)
    panel.bar_label(bars, [f"{share:.0%}" for share in shares], padding=3, fontsize=9)
    panel.set(xlim=(0, 1.15 * max(shares)), xticks=[])
    measured = metric.partition(" ")[2]
    panel.set_title(f"Share of the variance of {measured}, from {trials} trials", fontsize=10)
    return figure


def _heights(trial: Trial, space: Space) -> list[float]:
    return [dimension.position(trial.values[name]) for name, dimension in space.items()]


def _ticks(dimension: Dimension) -> dict[float, str]:
    """Where labels stand on an axis, and what they say."""
    if isinstance(dimension, Choice):
        return {dimension.position(value): text(value) for value in dimension.values}
    marks = [dimension.at(u) for u in (0.0, 0.25, 0.5, 0.75, 1.0)]
    if isinstance(dimension, LogUniform):
        decades = np.arange(np.ceil(np.log10(dimension.low)), np.log10(dimension.high) + 1e-9)
        inside = [float(10.0**decade) for decade in decades]
        marks = inside if len(inside) > 1 else marks
    return {dimension.position(mark): f"{mark:.3g}" for mark in marks}


def _axis(panel: Any, x: Number, name: str, ticks: Mapping[float, str]) -> None:
    panel.plot([x, x], [0, 1], color="0.3", lw=1)
    panel.text(x, -0.06, name.replace("_", " "), ha="center", va="top", fontsize=10)
    for height, label in ticks.items():
        panel.plot([x - 0.02, x + 0.02], [height, height], color="0.3", lw=1)
        panel.text(
            x + 0.04, height, label, va="center", fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.7}, zorder=4,
        )  # fmt: skip
