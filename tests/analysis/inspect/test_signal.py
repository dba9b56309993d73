"""The signal through depth: Glorot's and He's laws, and units known to be dead."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import models
from dlcourse.analysis import Signal, signal, signal_at_start
from dlcourse.models.foundations.activations import ACTIVATIONS

DEPTH, WIDTH = 11, 128


@functools.cache
def through(scheme, activation) -> Signal:
    x = jax.random.normal(jax.random.key(0), (128, WIDTH))
    labels = jnp.arange(128) % 7
    return signal_at_start(
        jax.random.key(1), x, labels, activation, scheme, depth=DEPTH, width=WIDTH
    )


def test_one_number_a_hidden_layer() -> None:
    assert all(values.shape == (DEPTH,) for values in through("he", "relu"))


def test_he_keeps_the_variance_of_gradients_under_relu() -> None:
    kept = through("he", "relu").gradient_variance
    assert 1 / 3 < kept[0] / kept[-1] < 3


def test_xavier_halves_the_signal_at_every_relu() -> None:
    seen = through("xavier", "relu")
    halved = seen.activation_variance[1:] / seen.activation_variance[:-1]
    assert jnp.exp(jnp.mean(jnp.log(halved))) == pytest.approx(0.5, rel=0.1)
    back = seen.gradient_variance[:-1] / seen.gradient_variance[1:]
    assert jnp.exp(jnp.mean(jnp.log(back))) == pytest.approx(0.5, rel=0.1)


def test_a_small_normal_fades_by_n_times_its_variance() -> None:
    seen = through("small_normal", "tanh").activation_variance
    np.testing.assert_allclose(seen[1:] / seen[:-1], WIDTH * 1e-4, rtol=0.2)


def test_linear_layers_under_xavier_keep_it() -> None:
    seen = through("xavier", "linear")
    assert seen.activation_variance[-1] == pytest.approx(1.0, abs=0.5)
    assert jnp.all(seen.saturated == 0)


def test_gradients_are_those_of_jax() -> None:
    """Two layers, where dJ/dz is at hand: W^T dJ/dy * g'(z)."""
    model = models.MLP((5, 3), activation=jnp.tanh)
    x = jax.random.normal(jax.random.key(0), (11, 7))
    params = model.init(jax.random.key(1), x)["params"]
    seen = signal(model, params, x, lambda y: jnp.sum(y**2), ACTIVATIONS["tanh"])
    z = x @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"][None]
    a = jnp.tanh(z)
    y = a @ params["Dense_1"]["kernel"] + params["Dense_1"]["bias"][None]
    dz = 2 * y @ params["Dense_1"]["kernel"].T * (1 - a**2)
    np.testing.assert_allclose(seen.gradient_variance[0], jnp.var(dz), rtol=1e-5)
    np.testing.assert_allclose(seen.activation_variance[0], jnp.var(a), rtol=1e-5)
    np.testing.assert_allclose(seen.saturated[0], jnp.mean(1 - a**2 < 0.05), atol=1e-6)


def test_units_killed_by_their_bias_are_counted() -> None:
    model = models.MLP((10, 3))
    x = jax.random.normal(jax.random.key(0), (11, 7))
    params = model.init(jax.random.key(1), x)["params"]
    params["Dense_0"]["bias"] = params["Dense_0"]["bias"].at[:4].set(-100.0)
    seen = signal(model, params, x, jnp.sum, ACTIVATIONS["relu"])
    assert seen.dead[0] == pytest.approx(0.4)
    assert seen.saturated[0] >= 0.4


def test_eleven_layers_keep_their_order() -> None:
    """Dense_10 comes after Dense_9, not after Dense_1."""
    seen = through("small_normal", "tanh").activation_variance
    assert jnp.all(seen[1:] < seen[:-1])


def test_convolutions_are_layers_too() -> None:
    """LeNet-5 has two of them and two hidden dense layers; a tanh never dies."""
    model = models.LeNet5()
    x = jax.random.normal(jax.random.key(0), (3, 32, 32, 1))
    params = jax.jit(model.init)(jax.random.key(1), x)["params"]
    measure = jax.jit(
        lambda params: signal(model, params, x, lambda y: jnp.sum(y**2), ACTIVATIONS["tanh"])
    )
    seen = measure(params)
    assert seen.dead.tolist() == [0, 0, 0, 0]
    first = jnp.tanh(models.Conv(6, (5, 5), padding=0).apply({"params": params["Conv_0"]}, x))
    np.testing.assert_allclose(seen.activation_variance[0], jnp.var(first), rtol=1e-4)
