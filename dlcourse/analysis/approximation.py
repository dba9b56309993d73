"""How near a network of one hidden layer comes to a function: the largest error, and an oracle."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

Function = Callable[[np.ndarray], np.ndarray]


def largest_error(
    predicted: Float[np.ndarray, "*shape"], true: Float[np.ndarray, "*shape"]
) -> float:
    """`sup |f(x) - g(x)|` over the points given (deck 003, theorem 1)."""
    return float(np.max(np.abs(np.asarray(predicted, float) - np.asarray(true, float))))


def random_features(
    x: Float[np.ndarray, " points"], width: int, activation: Function, seed: int, slope: float
) -> Float[np.ndarray, "points features"]:
    """`[1, σ(a_1 (x - c_1)), ..., σ(a_k (x - c_k))]`: k hidden units left as drawn, and a bias.

    c is drawn evenly between the smallest and the largest x, and a = ±`slope` · k: the more units
    there are, the smaller the part of the line that each has to see to.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, width]))
    centres = random.uniform(x.min(), x.max(), width)
    slopes = random.choice([-slope, slope], width) * width
    hidden = activation(slopes * (x[:, None] - centres))
    return np.concatenate([np.ones_like(x)[:, None], hidden], axis=1)


def fit_random_features(
    x: Float[np.ndarray, " points"],
    y: Float[np.ndarray, " points"],
    width: int,
    activation: Function,
    seed: int,
    slope: float = 0.1,
) -> Float[np.ndarray, " points"]:
    """The network of `width` units nearest to y when only its output layer is fitted.

        C = argmin_C ‖y - Φ C‖²,    Φ = `random_features(x)`

    It has a closed form, so no optimizer stands between the width and what it can do: an oracle
    for training, which may place the units better but has to find where.
    """
    features = random_features(x, width, activation, seed, slope)
    return features @ np.linalg.lstsq(features, y, rcond=None)[0]


# By width and kind of network, what the network of each seed says at every point.
Fits = Mapping[int, Mapping[str, Sequence[Float[np.ndarray, " points"]]]]


def largest_errors(
    fits: Fits, y: Float[np.ndarray, " points"]
) -> dict[int, dict[str, Float[np.ndarray, " seeds"]]]:
    """The largest error of each network."""
    return {
        width: {
            kind: np.array([largest_error(fit, y) for fit in each]) for kind, each in kinds.items()
        }
        for width, kinds in fits.items()
    }


def draw_approximation(
    x: Float[np.ndarray, " points"], y: Float[np.ndarray, " points"], fits: Fits, shown: Sequence
) -> Any:
    """Left the target and networks that follow it, right the largest error against width.

    The errors are drawn as the median over seeds and all between the least and the largest.

    Args:
        shown: which networks to draw on the left, as (kind, width).
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(x, y, color="black", linewidth=4, alpha=0.25, label="target")
    for kind, width in shown:
        left.plot(x, fits[width][kind][0], linewidth=1.2, label=f"{kind}, {width} units")
    left.set(xlabel="x", title="the target and trained networks")
    left.legend(fontsize=8)
    errors = largest_errors(fits, y)
    for kind in dict.fromkeys(kind for kinds in errors.values() for kind in kinds):
        widths = [width for width, kinds in errors.items() if kind in kinds]
        values = np.stack([errors[width][kind] for width in widths])
        right.fill_between(widths, values.min(1), values.max(1), alpha=0.2, linewidth=0)
        right.plot(widths, np.median(values, axis=1), ".-", label=kind)
    right.set_xscale("log", base=2)
    right.set_yscale("log")
    right.set(xlabel="hidden units", ylabel="sup |f(x) - g(x)|", title="largest error")
    right.grid(alpha=0.3)
    right.legend(fontsize=8)
    return figure
