"""Forecasts without a network, and how forecasts are measured."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from dlcourse.data import Series
from dlcourse.errors import UsageError

Past = Float[np.ndarray, "examples context"]
Future = Float[np.ndarray, "examples horizon"]
Windows = tuple[np.ndarray, np.ndarray]  # the past and the future of a split


def last_value(past: Past, horizon: int) -> Future:
    """The last value goes on: `ŷ_h = x_C`."""
    return np.repeat(past[:, -1:], horizon, axis=1)


def seasonal_naive(past: Past, horizon: int, season: int) -> Future:
    """The last season is repeated: `ŷ_h = x_(C - m + h)`, of which h > m takes `ŷ_(h - m)`.

    Raises:
        UsageError: the past is shorter than a season m.
    """
    if season > past.shape[1]:
        raise UsageError(
            f"A season of {season} does not fit a context of {past.shape[1]}: --context {season}."
        )
    return past[:, past.shape[1] - season + np.arange(horizon) % season]


def ridge(past: Past, future: Future, penalty: float) -> Callable[[Past], Future]:
    """Linear regression of the future on the past, both relative to the last value.

        ŷ = x_C + a + W (x - x_C),    W = (Dᵀ D + λ I)⁻¹ Dᵀ T

    D and T are the training windows `x - x_C` and `y - x_C` less their means; a makes the mean
    error 0. This is scikit-learn's `Ridge(alpha=λ)` on `x - x_C`.

    Args:
        past, future: of the train split.
        penalty: λ.
    """
    x, y = (part.astype(np.float64) for part in (past, future))
    inputs, targets = x - x[:, -1:], y - x[:, -1:]
    centre, middle = inputs.mean(0), targets.mean(0)
    gram = (inputs - centre).T @ (inputs - centre)
    # The last column is 0 for all windows: without a penalty the solution is the smallest one.
    weights = np.linalg.lstsq(
        gram + penalty * np.eye(len(gram)), (inputs - centre).T @ (targets - middle), rcond=None
    )[0]

    def predict(past: Past) -> Future:
        return past[:, -1:] + middle + (past - past[:, -1:] - centre) @ weights

    return predict


def best_ridge(
    train: Windows,
    validation: Windows,
    penalties: Sequence[float] = tuple(10.0**k for k in range(-4, 5)),
) -> tuple[float, Callable[[Past], Future]]:
    """The ridge regression with the smallest mean absolute error on the validation split.

    Returns:
        λ and the forecast.
    """
    past, future = validation
    made = {penalty: ridge(*train, penalty) for penalty in penalties}
    errors = {λ: float(np.abs(predict(past) - future).mean()) for λ, predict in made.items()}
    best = min(errors, key=lambda λ: errors[λ])
    return best, made[best]


def baselines(series: Series, split: str, season: int) -> dict[str, Future]:
    """The forecasts of the windows of a split by `last_value`, `seasonal_naive` and `best_ridge`.

    Args:
        series: in windows.
        split: what is forecast.
        season: number of values.
    """
    parts = {name: series.read(numbers) for name, numbers in series.splits.items()}
    train, validation = ((p["past"], p["future"]) for p in (parts["train"], parts["validation"]))
    past, horizon = parts[split]["past"], parts[split]["future"].shape[1]
    return {
        "last value": last_value(past, horizon),
        "seasonal naive": seasonal_naive(past, horizon, season),
        "ridge": best_ridge(train, validation)[1](past),
    }


def naive_error(train: Float[np.ndarray, " times"], season: int) -> float:
    """The divisor of the mean absolute scaled error, MASE (Hyndman and Koehler, 2006).

        MASE = mean |y - ŷ| / q,    q = mean_t |x_t - x_(t - m)|,    t = m + 1, ..., n

    q is the mean absolute error of the seasonal naive forecast, one step ahead, in the train split
    x of n values with season m. A MASE of 1 is that error; it has no unit.

    Args:
        train: the train split.
        season: m.

    Raises:
        UsageError: the train split has no two values a season apart.
    """
    if season >= len(train):
        raise UsageError(f"A season of {season} does not fit a train split of {len(train)} values.")
    return float(np.abs(train[season:] - train[:-season]).mean())
