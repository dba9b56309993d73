"""The drawn network is the network: its neurons, its weights, and colours by their signs."""

import jax
import numpy as np
import pytest

from dlcourse import analysis, models
from dlcourse.analysis.wiring import BLUE, RED, line_colors


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_neurons_are_those_of_the_forward_pass(batch_norm, key):
    model = models.MLP((7, 5, 3), batch_norm=batch_norm)
    image = jax.random.uniform(key, (4, 4, 1))
    variables = model.init(key, image[None])
    wiring = analysis.wiring(model, variables, np.asarray(image))
    assert [len(neurons) for neurons in wiring.activations] == [16, 7, 5, 3]
    assert [kernel.shape for kernel in wiring.kernels] == [(16, 7), (7, 5), (5, 3)]
    np.testing.assert_array_equal(wiring.activations[0], image.ravel())
    probabilities = jax.nn.softmax(model.apply(variables, image[None]))[0]
    np.testing.assert_allclose(wiring.activations[-1], probabilities, rtol=1e-6)
    if not batch_norm:
        first = variables["params"]["Dense_0"]
        hidden = jax.nn.relu(image.ravel() @ first["kernel"] + first["bias"])
        np.testing.assert_allclose(wiring.activations[1], hidden, rtol=1e-5, atol=1e-6)
    last = variables["params"]["Dense_2"]
    logits = wiring.activations[2] @ wiring.kernels[2] + last["bias"]
    np.testing.assert_allclose(jax.nn.softmax(logits), probabilities, rtol=1e-5)


def test_red_is_positive_blue_negative_and_a_silent_neuron_shows_no_lines():
    kernel = np.array([[2.0, -1.0], [-0.5, 1.0], [1.0, 1.0]])
    colors = line_colors(kernel, np.array([0.5, 1.0, 0.0]))
    assert colors.shape == (3, 2, 4)
    for row, column in np.ndindex(3, 2):
        expected = RED if kernel[row, column] > 0 else BLUE
        np.testing.assert_allclose(colors[row, column, :3], expected)
    np.testing.assert_allclose(colors[..., 3], [[0.5, 0.25], [0.25, 0.5], [0, 0]])
    assert (line_colors(kernel, np.zeros(3))[..., 3] == 0).all()


def test_every_visible_weight_is_a_line():
    kernels = [np.array([[1.0, -1.0], [0.5, 0.0]]), np.array([[1.0, 1.0, -1.0], [1.0, 1.0, 1.0]])]
    neurons = [np.array([1.0, 0.5]), np.array([1.0, 0.0]), np.array([0.2, 0.7, 0.1])]
    wiring = analysis.Wiring(np.ones((1, 2, 1)), kernels, neurons)
    figure = analysis.draw_wirings({"before": wiring, "after": wiring}, ("a", "b", "c"))
    panels = [axis for axis in figure.axes if axis.get_title()]
    assert [panel.get_title() for panel in panels] == ["before", "after"]
    lines = [c for c in panels[0].collections if hasattr(c, "get_segments")]
    assert [len(each.get_segments()) for each in lines] == [3, 3]  # one weight and one neuron are 0
    assert {text.get_text() for text in panels[0].texts} >= {"b   0.70", "2 pixels", "3 neurons"}
