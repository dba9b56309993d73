"""The figure of bias and variance colours every pair of size and capacity by its verdict."""

import numpy as np

from dlcourse.analysis import draw_bias_variance


def test_the_figure_colours_every_pair_by_its_verdict():
    curves = {(30, 2): ([1.0], [1.0]), (300, 2): ([1.0], [1.0]),
              (30, 64): ([0.1], [1.0]), (300, 64): ([0.1], [0.2])}  # fmt: skip
    curves = {place: tuple(map(np.array, pair)) for place, pair in curves.items()}
    figure = draw_bias_variance(curves, acceptable=0.3)
    grid = figure.axes[2]
    colors = {tuple(np.round(patch.get_facecolor(), 3)) for patch in grid.patches}
    assert len(grid.patches) == 4
    assert len(colors) == 3
    assert {line.get_label() for line in figure.axes[0].lines} == {
        "train", "validation", "acceptable",
    }  # fmt: skip
