"""The drawn network is the network: its neurons, its weights, and colours by their signs."""

import jax
import numpy as np
import pytest

from dlcourse import analysis, models


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_neurons_are_those_of_the_forward_pass(batch_norm, key):
    model = models.MLP((7, 5, 3), batch_norm=batch_norm)
    image = jax.random.uniform(key, (4, 4, 1))
    variables = jax.jit(model.init)(key, image[None])
    found = analysis.connections(model, variables, np.asarray(image))
    assert [len(neurons) for neurons in found.activations] == [16, 7, 5, 3]
    assert [kernel.shape for kernel in found.kernels] == [(16, 7), (7, 5), (5, 3)]
    np.testing.assert_array_equal(found.activations[0], image.ravel())
    probabilities = jax.nn.softmax(model.apply(variables, image[None]))[0]
    np.testing.assert_allclose(found.activations[-1], probabilities, rtol=1e-6)
    if not batch_norm:
        first = variables["params"]["Dense_0"]
        hidden = jax.nn.relu(image.ravel() @ first["kernel"] + first["bias"])
        np.testing.assert_allclose(found.activations[1], hidden, rtol=1e-5, atol=1e-6)
    last = variables["params"]["Dense_2"]
    logits = found.activations[2] @ found.kernels[2] + last["bias"]
    np.testing.assert_allclose(jax.nn.softmax(logits), probabilities, rtol=1e-5)
