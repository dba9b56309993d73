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


def inputs(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).standard_normal(shape, np.float32))


@functools.cache
def through(scheme, activation) -> Signal:
    x, labels = inputs(128, WIDTH), jnp.asarray(np.arange(128, dtype=np.int32) % 7)
    seen = signal_at_start(
        jax.random.key(1), x, labels, activation, scheme, depth=DEPTH, width=WIDTH
    )
    return jax.device_get(seen)


def test_one_number_a_hidden_layer() -> None:
    assert all(values.shape == (DEPTH,) for values in through("he", "relu"))


def test_he_keeps_the_variance_of_gradients_under_relu() -> None:
    kept = through("he", "relu").gradient_variance
    assert 1 / 3 < kept[0] / kept[-1] < 3


def test_xavier_halves_the_signal_at_every_relu() -> None:
    seen = through("xavier", "relu")
    halved = seen.activation_variance[1:] / seen.activation_variance[:-1]
    assert np.exp(np.mean(np.log(halved))) == pytest.approx(0.5, rel=0.1)
    back = seen.gradient_variance[:-1] / seen.gradient_variance[1:]
    assert np.exp(np.mean(np.log(back))) == pytest.approx(0.5, rel=0.1)


def test_a_small_normal_fades_by_n_times_its_variance() -> None:
    seen = through("small_normal", "tanh").activation_variance
    np.testing.assert_allclose(seen[1:] / seen[:-1], WIDTH * 1e-4, rtol=0.2)


def test_linear_layers_under_xavier_keep_it() -> None:
    seen = through("xavier", "linear")
    assert seen.activation_variance[-1] == pytest.approx(1.0, abs=0.5)
    assert np.all(seen.saturated == 0)


def test_gradients_are_those_of_jax() -> None:
    """Two layers, where dJ/dz is at hand: W^T dJ/dy * g'(z)."""
    model, x = models.MLP((5, 3), activation=jnp.tanh), inputs(11, 7)
    params = started(model, x)
    seen = measured(model, params, x, lambda y: jnp.sum(y**2), ACTIVATIONS["tanh"])
    x, (first, last) = np.asarray(x), (params[f"Dense_{i}"] for i in (0, 1))
    a = np.tanh(x @ first["kernel"] + first["bias"])
    y = a @ last["kernel"] + last["bias"]
    dz = 2 * y @ last["kernel"].T * (1 - a**2)
    np.testing.assert_allclose(seen.gradient_variance[0], np.var(dz), rtol=1e-5)
    np.testing.assert_allclose(seen.activation_variance[0], np.var(a), rtol=1e-5)
    np.testing.assert_allclose(seen.saturated[0], np.mean(1 - a**2 < 0.05), atol=1e-6)


def started(model, x) -> dict:
    """The initial parameters, as NumPy arrays that can be changed."""
    return jax.tree.map(np.array, jax.jit(model.init)(jax.random.key(1), x)["params"])


def measured(model, params, x, loss, activation) -> Signal:
    """The signal, compiled as one program: operation by operation each would be for itself."""
    return jax.device_get(jax.jit(lambda p: signal(model, p, x, loss, activation))(params))


def test_units_killed_by_their_bias_are_counted() -> None:
    model, x = models.MLP((10, 3)), inputs(11, 7)
    params = started(model, x)
    params["Dense_0"]["bias"][:4] = -100.0
    seen = measured(model, params, x, jnp.sum, ACTIVATIONS["relu"])
    assert seen.dead[0] == pytest.approx(0.4)
    assert seen.saturated[0] >= 0.4


def test_eleven_layers_keep_their_order() -> None:
    """Dense_10 comes after Dense_9, not after Dense_1."""
    seen = through("small_normal", "tanh").activation_variance
    assert np.all(seen[1:] < seen[:-1])


def test_convolutions_are_layers_too() -> None:
    """LeNet-5 has two of them and two hidden dense layers; a tanh never dies."""
    model, x = models.LeNet5(), inputs(3, 32, 32, 1)
    params = started(model, x)
    seen = measured(model, params, x, lambda y: jnp.sum(y**2), ACTIVATIONS["tanh"])
    assert seen.dead.tolist() == [0, 0, 0, 0]
    convolution = models.Conv(6, (5, 5), padding=0)
    first = np.tanh(jax.jit(convolution.apply)({"params": params["Conv_0"]}, x))
    np.testing.assert_allclose(seen.activation_variance[0], np.var(first), rtol=1e-4)
