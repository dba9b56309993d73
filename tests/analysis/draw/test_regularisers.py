"""The figure of regularisers shows the curves and the weights."""

import numpy as np

from dlcourse import analysis


def test_the_figure_shows_curves_and_weights():
    steps = np.array([1, 2, 3])
    curves = {"none": (steps, np.ones((3, 2))), "L1": (steps, 2 * np.ones((3, 1)))}
    figure = analysis.draw_regularisers(curves, {"L1": np.array([0.0, 0.0, 0.5, -0.5])})
    above, below = figure.axes
    np.testing.assert_allclose([line.get_ydata() for line in above.lines], [[1] * 3, [2] * 3])
    assert "50%" in below.get_title()
