"""The effect of regularisers on the validation loss and on the weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from dlcourse import figures
from dlcourse.analysis.measure.kernels import ZERO, share_of_zeros

Curve = tuple[Int[np.ndarray, " times"], Float[np.ndarray, "times seeds"]]


def draw_regularisers(
    curves: Mapping[str, Curve], weights: Mapping[str, Float[np.ndarray, " weights"]]
) -> Any:
    """The validation curves above, histograms of the weights below, one panel per regulariser.

    Args:
        curves: for each run the steps of its evaluations and the validation losses, one column
            per seed; drawn are the mean and the standard deviation over seeds.
        weights: for some of these runs, the entries of their kernels.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.5), layout="constrained")
    places = figure.add_gridspec(2, len(weights), height_ratios=(3, 2))
    above = figure.add_subplot(places[0, :])
    figures.style(above)
    looks = figures.looks(curves)
    for name, (steps, values) in curves.items():
        figures.over_seeds(above, steps, values, looks[name], name)
    above.set(xlabel="step", ylabel="validation loss", yscale="log")
    means = np.concatenate([values.mean(axis=1) for _, values in curves.values()])
    above.set_ylim(0.9 * means.min(), 1.1 * means.max())
    figures.title(above, "validation loss, mean ± std over seeds")
    above.yaxis.set_major_formatter("{x:g}")
    above.yaxis.set_minor_formatter("{x:g}")
    above.tick_params(axis="y", which="minor", labelsize=8)
    limit = max(np.quantile(np.abs(w), 0.998) for w in weights.values())
    first = None
    for place, (name, entries) in enumerate(weights.items()):
        panel = figure.add_subplot(places[1, place], sharex=first, sharey=first)
        figures.style(panel)
        first = first or panel
        # An odd number of bins, so that one of them is centred at 0.
        bins = np.linspace(-limit, limit, 82).tolist()
        panel.hist(entries, bins=bins, color=looks[name].color)
        panel.set_yscale("log")
        figures.title(panel, f"{name}\n|w| < {ZERO}: {share_of_zeros(entries):.0%}")
        panel.set_xlabel("weight")
    if first:
        first.set_ylabel("weights in the bin")
    figures.legend(above, ncols=2)
    return figure
