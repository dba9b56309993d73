"""Temporal convolutional networks: causal, with the formula's reach; forecasts of any trend."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import models
from dlcourse.models.sequence.tcn import CausalConv


def test_a_causal_convolution_is_its_sum(key):
    conv = CausalConv(4, kernel=3, dilation=2)
    x = jax.random.normal(key, (2, 7, 5))
    params = conv.init(key, x)
    kernel, bias = (np.asarray(params["params"]["Dense_0"][n]) for n in ("kernel", "bias"))
    expected = np.zeros((2, 7, 4)) + bias
    for t in range(7):
        for j in range(3):
            if t - 2 * j >= 0:
                expected[:, t] += np.asarray(x)[:, t - 2 * j] @ kernel[5 * j : 5 * (j + 1)]
    np.testing.assert_allclose(conv.apply(params, x), expected, atol=1e-5)


@pytest.mark.parametrize(("layers", "kernel", "reach"), [(2, 3, 13), (3, 2, 15)])
def test_an_output_sees_its_receptive_field_and_nothing_later(layers, kernel, reach, key):
    """The gradient of the output at one place with respect to every input."""
    model = models.TCN((3,) * layers, 1, kernel, reads="places")
    assert model.receptive_field == reach
    time, place = reach + 4, reach + 1
    x = jax.random.normal(key, (4, time, 1))
    # Positive weights, so that no relu is 0 and no path cancels another.
    params = jax.tree.map(jnp.abs, jax.jit(model.init)(key, x))
    slope = jax.jit(jax.grad(lambda x: model.apply(params, x)[:, place].sum()))(jnp.abs(x))
    seen = np.abs(slope).sum((0, 2)) > 0
    np.testing.assert_array_equal(
        seen, (np.arange(time) <= place) & (place - np.arange(time) < reach)
    )


def test_the_last_place_is_read(key):
    places, end = (models.TCN((3, 5), 2, reads=reads) for reads in ("places", "end"))
    x = jax.random.normal(key, (2, 6, 1))
    params = jax.jit(places.init)(key, x)
    last = jax.jit(places.apply)(params, x)[:, -1]
    np.testing.assert_allclose(jax.jit(end.apply)(params, x), last, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("network", [models.SequenceNet("gru", (3,), 4), models.TCN((3,), 4)])
def test_a_forecast_moves_with_the_level_of_the_series(network, key):
    model = models.FromLast(network)
    past = jnp.concatenate([jax.random.normal(key, (2, 6)), jnp.zeros((1, 6))])
    params, run = jax.jit(model.init)(key, past), jax.jit(model.apply)
    found = run(params, past)
    assert found.shape == (3, 4)
    np.testing.assert_allclose(run(params, past + 9.0), found + 9.0, atol=1e-5)
