"""Times functions in turn, so that other work on the machine slows all of them."""

import time
from collections.abc import Callable, Mapping


def in_turn(functions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """The seconds of each of `rounds` calls of each function, after two calls to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds + 2):
        for name, function in functions.items():
            begun = time.perf_counter()
            function()
            if turn >= 2:
                seconds[name].append(time.perf_counter() - begun)
    return seconds
