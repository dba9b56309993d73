"""The figure of filters."""

import numpy as np

from dlcourse import analysis


def test_the_figure_has_a_row_a_filter():
    kernels = np.ones((3, 3, 1, 2), np.float32)
    figure = analysis.draw_filters(
        np.ones((7, 5), np.float32), kernels, kernels, np.ones((5, 3, 2), np.float32), ("a", "b")
    )
    assert len(figure.axes) == 2 * 4
