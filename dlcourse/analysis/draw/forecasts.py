"""Forecasts beside what came."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures
from dlcourse.data import Series

Forecasts = Mapping[str, Float[np.ndarray, "_ windows horizon"]]
SHOWN = 3


def draw_forecasts(series: Series, forecasts: Forecasts, split: str = "test") -> Any:
    """The first, the middle and the last window of a split, and what each method predicted.

    Args:
        series: in windows.
        forecasts: by method, of each seed and window; the mean over seeds is drawn.
        split: of which they are.
    """
    numbers = series.splits[split]
    shown = np.linspace(0, len(numbers) - 1, SHOWN).astype(int)
    examples = series.read(numbers[shown])
    figure, panels = figures.new(1, SHOWN, width=4.4, height=3.6)
    context, horizon = examples["past"].shape[1], examples["future"].shape[1]
    ahead, looks = np.arange(1, horizon + 1), figures.looks(forecasts)
    for row, (panel, place) in enumerate(zip(panels[0], shown, strict=True)):
        came = np.concatenate([examples["past"][row], examples["future"][row]])
        steps = np.arange(1 - context, horizon + 1)
        panel.plot(steps, series.original(came), color="black", linewidth=1.6, label="what came")
        panel.axvline(0, color="gray", linewidth=0.8)
        for name, forecast in forecasts.items():
            found = series.original(forecast.mean(0)[place])
            figures.line(panel, ahead, found, looks[name], name)
        panel.set(xlabel="steps ahead")
        figures.title(panel, f"value {numbers[place]} and later")
    panels[0][0].set_ylabel(series.unit)
    figures.legend_beside(figure, panels[0][0])
    return figure


def draw_errors_ahead(series: Series, forecasts: Forecasts, split: str = "test") -> Any:
    """The mean absolute error of each method against the number of steps ahead.

    Args:
        series, forecasts, split: as in `draw_forecasts`; the mean is over the seeds too.
    """
    future = series.read(series.splits[split])["future"]
    figure, ((panel,),) = figures.new(width=6.4, height=4.0)
    looks = figures.looks(forecasts)
    for name, forecast in forecasts.items():
        error = series.scale * np.abs(forecast - future).mean((0, 1))
        figures.line(panel, np.arange(1, len(error) + 1), error, looks[name], name)
    panel.set(xlabel="steps ahead", ylabel=f"mean absolute error, {series.unit}", ylim=(0, None))
    figures.legend(panel)
    return figure
