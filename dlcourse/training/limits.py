"""Limits of the numbers of a config: from the least value to the greatest, both included."""

import math

Number = int | float
Limits = tuple[Number, Number]

LARGEST = 2**31 - 1  # the greatest int32, which devices count in
FINITE = 3.4e38  # greater numbers are infinite in float32
# An open end is the nearest float32 inside it, so that a device tells the two apart.
ABOVE_0, BELOW_1 = 2.0**-126, 1 - 2.0**-24

ANY: Limits = (-math.inf, math.inf)
AT_LEAST_1: Limits = (1, LARGEST)
NOT_NEGATIVE: Limits = (0, math.inf)
POSITIVE: Limits = (ABOVE_0, math.inf)
SHARE: Limits = (0, 1)  # probabilities and discounts too
SIZE: Limits = (1, 2**16)  # widths and channels; a kernel between two of the widest takes 17 GB


def described(limits: Limits) -> str:
    """Limits in words: `at least 1`, `above 0 and at most 100`; int32's end goes without saying."""
    low, high = limits
    return _start(low) if high in (LARGEST, math.inf) else f"{_start(low)} and {_end(high)}"


def check(name: str, value: object, limits: Limits) -> None:
    """Checks a number, or each of several; anything else passes.

    Raises:
        ValueError: a number is infinite in float32, not a number, or beyond its limits.
    """
    low, high = limits
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, bool) or not isinstance(number, int | float):
            continue
        if isinstance(number, float) and not abs(number) <= FINITE:
            raise ValueError(f"{name} is {number}; it must be a finite number, in float32 too")
        if not low <= number <= high:
            end = _start(low) if number < low else _end(high)
            raise ValueError(f"{name} must be {end}; it is {number}")


def _start(low: Number) -> str:
    return "above 0" if low == ABOVE_0 else f"at least {low}"


def _end(high: Number) -> str:
    return "below 1" if high == BELOW_1 else f"at most {high}"
