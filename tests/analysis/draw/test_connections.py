"""The drawn connections: colours by sign, opacity by weight and activity."""

import numpy as np
from matplotlib.colors import to_rgb

from dlcourse import analysis, figures
from dlcourse.analysis.draw.connections import line_colors


def test_red_is_positive_blue_negative_and_a_silent_neuron_shows_no_lines():
    kernel = np.array([[2.0, -1.0], [-0.5, 1.0], [1.0, 1.0]])
    colors = line_colors(kernel, np.array([0.5, 1.0, 0.0]))
    assert colors.shape == (3, 2, 4)
    for row, column in np.ndindex(3, 2):
        expected = to_rgb(figures.POSITIVE if kernel[row, column] > 0 else figures.NEGATIVE)
        np.testing.assert_allclose(colors[row, column, :3], expected)
    np.testing.assert_allclose(colors[..., 3], [[0.5, 0.25], [0.25, 0.5], [0, 0]])
    assert (line_colors(kernel, np.zeros(3))[..., 3] == 0).all()


def test_every_visible_weight_is_a_line():
    kernels = [np.array([[1.0, -1.0], [0.5, 0.0]]), np.array([[1.0, 1.0, -1.0], [1.0, 1.0, 1.0]])]
    neurons = [np.array([1.0, 0.5]), np.array([1.0, 0.0]), np.array([0.2, 0.7, 0.1])]
    network = analysis.Connections(np.ones((1, 2, 1)), kernels, neurons)
    figure = analysis.draw_connections({"before": network, "after": network}, ("a", "b", "c"))
    panels = [axis for axis in figure.axes if axis.get_title()]
    assert [panel.get_title() for panel in panels] == ["before", "after"]
    lines = [c for c in panels[0].collections if hasattr(c, "get_segments")]
    assert [len(each.get_segments()) for each in lines] == [3, 3]  # one weight and one neuron are 0
    assert {text.get_text() for text in panels[0].texts} >= {"b   0.70", "2 pixels", "3 units"}
