"""The drawn activation curves: values and derivatives, with gaps at jumps."""

import numpy as np

from dlcourse import analysis
from dlcourse.models.foundations.activations import ACTIVATIONS


def test_every_activation_has_its_values_and_derivatives():
    z, curves = analysis.activation_curves()
    assert list(curves) == list(ACTIVATIONS)
    np.testing.assert_allclose(curves["tanh"][0], np.tanh(z), atol=1e-6)
    np.testing.assert_allclose(curves["tanh"][1], 1 - np.tanh(z) ** 2, atol=1e-6)
    first = np.exp(z) / (np.exp(z) + 2)
    np.testing.assert_allclose(curves["softmax"][0], first, atol=1e-6)
    np.testing.assert_allclose(curves["softmax"][1], first * (1 - first), atol=1e-6)


def test_a_jump_is_a_gap():
    z, curves = analysis.activation_curves()
    (gap,) = np.flatnonzero(np.isnan(curves["relu"][1]))
    assert abs(z[gap]) < 0.03


def test_the_figure_has_a_panel_for_every_activation():
    figure = analysis.draw_activations(*analysis.activation_curves())
    titles = [panel.get_title() for panel in figure.axes if panel.get_visible()]
    assert len(titles) == len(ACTIVATIONS)
    assert "softmax, 1st of 3" in titles
