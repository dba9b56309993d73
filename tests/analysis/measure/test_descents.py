"""The choice of the best of several descents."""

import numpy as np

from dlcourse.analysis import best_descent


def test_the_lowest_end_counts_of_those_that_never_climb():
    falls, falls_deep = [3.0, 2.0, 1.0], [3.0, 1.0, 0.5]
    jumps, diverges = [3.0, 9.0, 0.1], [3.0, np.nan, np.nan]
    assert best_descent(np.array([falls, jumps, falls_deep, diverges])) == 2
    assert best_descent(np.array([jumps, falls])) == 1
    assert best_descent(np.array([jumps, diverges])) is None
