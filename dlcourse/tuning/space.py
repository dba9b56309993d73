"""Search spaces: each hyperparameter is a map from [0, 1] onto its values.

A space is a dict of such maps. All search methods therefore work in the unit cube: random search
draws uniformly, a grid is evenly spaced, coarse-to-fine draws from a smaller box.
"""

import dataclasses
import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from dlcourse.errors import UsageError

Number = int | float


@dataclasses.dataclass(frozen=True)
class Uniform:
    """A uniform distribution from `low` to `high`: `low + u (high - low)`."""

    low: Number
    high: Number

    def __post_init__(self) -> None:
        _require_order(self.low, self.high)

    def at(self, u: Number) -> float:
        return _clip(self.low + u * (self.high - self.low), self)

    def position(self, value: Number) -> float:
        return (value - self.low) / (self.high - self.low)

    def distribution(self) -> Any:
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


@dataclasses.dataclass(frozen=True)
class LogUniform:
    """A uniform distribution of the logarithm (deck 001): `low (high / low)^u`."""

    low: Number
    high: Number

    def __post_init__(self) -> None:
        _require_order(self.low, self.high, log=True)

    def at(self, u: Number) -> float:
        return _clip(self.low * (self.high / self.low) ** u, self)

    def position(self, value: Number) -> float:
        return math.log(value / self.low) / math.log(self.high / self.low)

    def distribution(self) -> Any:
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, log=True)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, logarithmic"


@dataclasses.dataclass(frozen=True)
class Integer:
    """Integers from `low` to `high` inclusive: `⌊low + u (high + 1 - low)⌋`.

    With `log`, `⌊low ((high + 1) / low)^u⌋`: the probability of k is proportional to
    log((k + 1) / k).
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _require_order(self.low, self.high, self.log)

    def at(self, u: Number) -> int:
        end = self.high + 1
        place = self.low * (end / self.low) ** u if self.log else self.low + u * (end - self.low)
        return int(_clip(math.floor(place), self))

    def position(self, value: Number) -> float:
        """The middle of the interval that maps to this value."""
        end, value = self.high + 1, value + 0.5
        if self.log:
            return math.log(value / self.low) / math.log(end / self.low)
        return (value - self.low) / (end - self.low)

    def distribution(self) -> Any:
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, log=self.log)

    def __str__(self) -> str:
        return f"{self.low} to {self.high}" + (", logarithmic" if self.log else "")


@dataclasses.dataclass(frozen=True, init=False)
class Choice:
    """A uniform choice from a list. Coarse-to-fine treats neighbours in the list as similar."""

    values: tuple[Hashable, ...]

    def __init__(self, *values: Hashable) -> None:
        if len(set(values)) < max(2, len(values)):
            raise UsageError(f"A choice needs two or more different values, got {text(values)}.")
        object.__setattr__(self, "values", values)

    def at(self, u: Number) -> Any:
        return self.values[min(int(u * len(self.values)), len(self.values) - 1)]

    def position(self, value: Hashable) -> float:
        """The middle of the interval that maps to this value."""
        return (self.values.index(value) + 0.5) / len(self.values)

    def distribution(self) -> Any:
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution([text(value) for value in self.values])

    def __str__(self) -> str:
        return " or ".join(map(text, self.values))


Dimension = Uniform | LogUniform | Integer | Choice
Space = Mapping[str, Dimension]
Values = dict[str, Any]  # a value for each name of a space


def levels(dimension: Dimension, count: int) -> list[Any]:
    """`count` evenly spaced values including both ends, without duplicates; all of a choice."""
    if isinstance(dimension, Choice):
        return list(dimension.values)
    return list(dict.fromkeys(dimension.at(float(u)) for u in np.linspace(0.0, 1.0, count)))


def point(space: Space, place: np.ndarray) -> Values:
    """The values at a point of the unit cube, whose axes are the names of the space in order."""
    return {
        name: dimension.at(float(u))
        for (name, dimension), u in zip(space.items(), place, strict=True)
    }


def text(value: Any) -> str:
    """A value as text; the parts of a tuple are separated by commas."""
    return ",".join(map(text, value)) if isinstance(value, tuple) else str(value)


def short(value: Any) -> str:
    """A value as text, floats with four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) else text(value)


def _require_order(low: Number, high: Number, log: bool = False) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"The range from {low:g} to {high:g} is empty: low must be below high.")
    if log and low <= 0:
        raise UsageError(f"A logarithmic range must start above 0, got {low:g}.")


def _clip(value: Number, dimension: Any) -> Number:
    """Corrects rounding beyond an end of the range."""
    return min(max(value, dimension.low), dimension.high)
