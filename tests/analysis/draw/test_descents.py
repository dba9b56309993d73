"""The figures of descents have a path for each optimizer."""

import numpy as np

from dlcourse import analysis


def test_the_figure_has_a_path_for_each_optimizer_on_each_surface(key, tmp_path) -> None:
    points = np.linspace((-1.0, 1.0), (1.0, 0.5), 5)
    paths = {name: {"a, 0.1": points, "b, 0.2": -points} for name in analysis.SURFACES}
    figure = analysis.draw_descents(paths)
    above, below = figure.axes[:3], figure.axes[3:]
    assert [axis.get_title() for axis in above] == list(analysis.SURFACES)
    assert [text.get_text() for text in below[0].get_legend().get_texts()] == ["a, 0.1", "b, 0.2"]

    animation = analysis.animate_descents(paths, frames=4)
    animation.save(tmp_path / "paths.gif", writer="pillow", dpi=20)
    *_, last = above[0].lines
    np.testing.assert_array_equal(last.get_xydata(), -points)
