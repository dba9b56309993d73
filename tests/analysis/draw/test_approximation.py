"""The figure of approximations shows the fits and their errors."""

import numpy as np

from dlcourse.analysis import draw_approximation, largest_errors
from dlcourse.data.generated import CURVES

X = np.linspace(-1, 1, 601)


def test_the_errors_are_drawn_by_width_and_kind():
    y = CURVES["wave"](X)
    fits = {2: {"tanh": [y + 0.5, y - 0.4], "linear": [0.7 + y]}, 8: {"tanh": [y - 0.1, y + 0.2]}}
    errors = largest_errors(fits, y)
    np.testing.assert_allclose(errors[2]["tanh"], [0.5, 0.4])
    np.testing.assert_allclose(errors[2]["linear"], [0.7])
    left, right = draw_approximation(X, y, fits, [("tanh", 8)]).axes
    np.testing.assert_allclose(left.lines[1].get_ydata(), y - 0.1)
    assert [line.get_label() for line in right.lines] == ["tanh", "linear"]
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0.45, 0.15])
