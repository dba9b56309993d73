"""Figures of a study: parallel coordinates of the trials, and the importance of the options."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures
from dlcourse.tuning.efficiency import expected_best, quantile_best
from dlcourse.tuning.space import Choice, Dimension, LogUniform, Number, Space, short, text
from dlcourse.tuning.trial import Trial, ranked


def draw_parallel(trials: Sequence[Trial], space: Space, metric: str) -> Any:
    """Parallel coordinates (Inselberg, 1985): an axis for each option and one for the metric.

    The better a trial, the darker its line and the higher its end; the best is red. Trials that
    were pruned or diverged are dotted and end before the metric.

    Args:
        trials: at least one of them complete.
        space: of the options.
        metric: `min NAME` or `max NAME`.
    """
    from matplotlib import colormaps

    direction, _, measured = metric.partition(" ")
    worst_first = ranked(trials, maximize=direction == "max")[::-1]
    values, last = [short(trial.value) for trial in worst_first], len(worst_first) - 1
    width = 1.8 + 1.7 * (len(space) + 1)
    figure, ((panel,),) = figures.new(width=width, height=4.4, grid=False)
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
    # The metric's axis shows ranks: by value, one bad trial would compress all others.
    places = np.unique(np.linspace(0, last, 6).round().astype(int))
    marks = {float(place / max(1, last)): values[place] for place in places}
    _axis(panel, len(space), measured, marks)
    panel.set(xlim=(-0.3, len(space) + 0.6), ylim=(-0.12, 1.04))
    panel.axis("off")
    title = f"{len(values)} trials by rank, the best in red: {measured} {values[-1]}"
    if len(trials) > len(values):
        title += f"; dotted: {len(trials) - len(values)} without a result"
    figures.title(figure, title)
    return figure


def draw_importances(importances: Mapping[str, float], metric: str, trials: int) -> Any:
    """The share of each option in the variance of the metric over the space (see `Study`).

    Args:
        importances: the share by option, the largest first.
        metric: `min NAME` or `max NAME`.
        trials: how many complete trials they were estimated from.
    """
    figure, ((panel,),) = figures.new(width=5.5, height=1.2 + 0.4 * len(importances), grid=False)
    names, shares = zip(*reversed(list(importances.items())), strict=True)
    labels = [name.replace("_", " ") for name in names]
    bars = panel.barh(labels, shares, color=figures.COLORS[0])
    panel.bar_label(bars, [f"{share:.0%}" for share in shares], padding=3, fontsize=9)
    panel.set(xlim=(0, 1.15 * max(shares)), xticks=[])
    measured = metric.partition(" ")[2]
    figures.title(figure, f"share of the variance of {measured}, from {trials} trials")
    return figure


def draw_efficiency(
    random: Float[np.ndarray, " trials"],
    grids: Mapping[int, Float[np.ndarray, " levels"]],
    title: str,
) -> Any:
    """The validation error of the best trial so far against the number of trials.

    Args:
        random: the accuracy of each trial of random search.
        grids: that of each trial of a grid, by the size of the grid.
        title: of the figure.
    """
    figure, ((panel,),) = figures.new(width=6.5, height=4.2)
    names = ["random, mean", *(f"grid of {trials}, in any order" for trials in grids)]
    of_random, *of_grids = figures.looks(names).values()
    k = np.arange(1, max(grids) + 1)
    high, low = (1 - quantile_best(random, p)[: len(k)] for p in (0.1, 0.9))
    band = {"color": of_random.color, "alpha": 0.2, "lw": 0}
    panel.fill_between(k, low, high, label="8 of 10 random searches", **band)
    figures.line(panel, k, 1 - expected_best(random)[: len(k)], of_random, names[0])
    for (trials, values), look, name in zip(grids.items(), of_grids, names[1:], strict=True):
        figures.line(panel, k[:trials], 1 - expected_best(values), look, name)
    panel.set(
        xscale="log",
        yscale="log",
        xlabel="trials",
        ylabel="validation error of the best trial so far",
    )
    figures.title(panel, title)
    panel.set_xticks([1, 2, 4, *grids], [str(mark) for mark in (1, 2, 4, *grids)])
    panel.xaxis.minorticks_off()
    figures.legend(panel)
    return figure


def _heights(trial: Trial, space: Space) -> list[float]:
    return [dimension.position(trial.values[name]) for name, dimension in space.items()]


def _ticks(dimension: Dimension) -> dict[float, str]:
    """The labels of an axis, by height."""
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
