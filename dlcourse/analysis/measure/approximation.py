"""How closely a network of one hidden layer approximates a function: the largest error."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

Function = Callable[[np.ndarray], np.ndarray]

# By width and kind of network, the outputs of the network of each seed at every point.
Fits = Mapping[int, Mapping[str, Sequence[Float[np.ndarray, " points"]]]]


def largest_error(
    predicted: Float[np.ndarray, "*shape"], true: Float[np.ndarray, "*shape"]
) -> float:
    """`sup |f(x) - g(x)|` over the points given (deck 003, theorem 1)."""
    return float(np.max(np.abs(np.asarray(predicted, float) - np.asarray(true, float))))


def largest_errors(
    fits: Fits, y: Float[np.ndarray, " points"]
) -> dict[int, dict[str, Float[np.ndarray, " seeds"]]]:
    """The largest error of each network, by width and kind."""
    return {
        width: {
            kind: np.array([largest_error(fit, y) for fit in each]) for kind, each in kinds.items()
        }
        for width, kinds in fits.items()
    }


def random_features(
    x: Float[np.ndarray, " points"], width: int, activation: Function, seed: int, slope: float
) -> Float[np.ndarray, "points features"]:
    """`[1, σ(a_1 (x - c_1)), ..., σ(a_k (x - c_k))]`: a bias and k untrained hidden units.

    c is drawn uniformly between the smallest and the largest x, and a = ±`slope` · k: with more
    units, each turns within a smaller part of the line.
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
    """The network of `width` hidden units nearest to y when only its output layer is fitted.

        C = argmin_C ‖y - Φ C‖²,    Φ = `random_features(x)`

    The closed form needs no optimizer, so it is a reference for training: training may place the
    units better, but has to find the places.
    """
    features = random_features(x, width, activation, seed, slope)
    return features @ np.linalg.lstsq(features, y, rcond=None)[0]
