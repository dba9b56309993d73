"""What a regulariser does: to the validation curve, and to the weights."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int, PyTree

from dlcourse import parameters

ZERO = 1e-3  # a weight below it does nothing that can be seen

Curve = tuple[Int[np.ndarray, " times"], Float[np.ndarray, "times seeds"]]


def kernel_entries(params: PyTree) -> Float[np.ndarray, " weights"]:
    """The entries of all kernels of a parameter tree, in a row."""
    chosen = jax.tree.map(
        lambda counts, leaf: np.ravel(leaf) if counts else np.zeros(0),
        parameters.kernels(params),
        params,
    )
    return np.concatenate(jax.tree.leaves(chosen)).astype(float)


def share_of_zeros(weights: Float[np.ndarray, " weights"]) -> float:
    """The share of weights with `|w| < 0.001`: gradient steps come near 0 and seldom meet it."""
    return float(np.mean(np.abs(weights) < ZERO))


def draw_regularisers(
    curves: Mapping[str, Curve], weights: Mapping[str, Float[np.ndarray, " weights"]]
) -> Any:
    """Above the validation curves, below a histogram of the weights, one panel a regulariser.

    Args:
        curves: of each run, the steps of its evaluations and the validation losses, one column a
            seed; the mean and the spread of the seeds are drawn.
        weights: of some of these runs, the entries of their kernels.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.5), layout="constrained")
    places = figure.add_gridspec(2, len(weights), height_ratios=(3, 2))
    panel = figure.add_subplot(places[0, :])
    colors = {name: f"C{place}" for place, name in enumerate(curves)}
    for name, (steps, values) in curves.items():
        mean = values.mean(axis=1)
        panel.plot(steps, mean, color=colors[name], label=name)
        if values.shape[1] > 1:
            std = values.std(axis=1, ddof=1)
            panel.fill_between(
                steps, mean - std, mean + std, color=colors[name], alpha=0.12, linewidth=0
            )
    panel.set(xlabel="step", ylabel="validation loss", yscale="log")
    panel.set_title("validation loss, mean and spread over seeds")
    panel.yaxis.set_minor_formatter("{x:g}")
    panel.tick_params(axis="y", which="minor", labelsize=8)
    panel.grid(alpha=0.3)
    panel.legend(fontsize=9, ncols=2)
    limit = max(np.quantile(np.abs(w), 0.998) for w in weights.values())
    first = None
    for place, (name, entries) in enumerate(weights.items()):
        panel = figure.add_subplot(places[1, place], sharex=first, sharey=first)
        first = first or panel
        # An odd number of bins, so that one of them is about 0.
        panel.hist(entries, bins=np.linspace(-limit, limit, 82).tolist(), color=colors[name])
        panel.set_yscale("log")
        panel.set_title(f"{name}\n|w| < {ZERO}: {share_of_zeros(entries):.0%}", fontsize=10)
        panel.set_xlabel("weight")
    if first:
        first.set_ylabel("how many")
    return figure
