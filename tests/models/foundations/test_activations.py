"""The nine activations: known values, and hand-written derivatives equal to `jax.grad`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse.models.foundations import activations
from dlcourse.models.foundations.activations import ACTIVATIONS

ELEMENTWISE = sorted(set(ACTIVATIONS) - {"softmax"})

# Values at (-2, 0.5), from the formulas with a pocket calculator's exponentials.
VALUES = {
    "linear": (-2.0, 0.5),
    "step": (0.0, 1.0),
    "sigmoid": (0.1192029220, 0.6224593312),
    "tanh": (-0.9640275801, 0.4621171573),
    "relu": (0.0, 0.5),
    "leaky_relu": (-0.02, 0.5),
    "elu": (-0.8646647168, 0.5),
    "swish": (-0.2384058440, 0.3112296656),
}


def test_there_are_nine() -> None:
    assert len(ACTIVATIONS) == 9


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_values(name) -> None:
    found = jax.jit(ACTIVATIONS[name].function)(np.array([-2, 0.5], np.float32))
    np.testing.assert_allclose(found, VALUES[name], rtol=1e-5)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_derivative_is_jax_grad_away_from_kinks(name) -> None:
    with jax.enable_x64(True):
        z = np.linspace(-30.0, 30.0, 1000)  # an even count, so that 0 is not among them
        function, derivative = ACTIVATIONS[name]
        by_hand, by_jax = jax.jit(lambda z: (derivative(z), jax.vmap(jax.grad(function))(z)))(z)
        np.testing.assert_allclose(by_hand, by_jax, rtol=1e-10, atol=1e-14)


def test_softmax_jacobian_is_jacfwd() -> None:
    with jax.enable_x64(True):
        z = np.random.default_rng(1).normal(size=(3, 5), scale=4)

        @jax.jit
        def evaluate(z: jax.Array) -> tuple[jax.Array, ...]:
            by_jax = jax.vmap(jax.jacfwd(activations.softmax))(z)
            return activations.softmax_derivative(z), by_jax, activations.softmax(z)

        by_hand, by_jax, probabilities = evaluate(z)
        np.testing.assert_allclose(by_hand, by_jax, atol=1e-14)
        np.testing.assert_allclose(np.sum(probabilities, axis=-1), 1.0, atol=1e-14)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu"])
def test_the_kink_takes_the_decks_side(name) -> None:
    assert ACTIVATIONS[name].derivative(jnp.zeros(())) == 1.0


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_far_out_stays_finite(name) -> None:
    z = np.array([-1e4, -100, 100, 1e4], np.float32)
    found = jax.jit(lambda z: [f(z) for f in ACTIVATIONS[name]])(z)
    assert all(np.isfinite(values).all() for values in found)


def test_greatest_slopes() -> None:
    z = np.linspace(-5, 5, 2001, dtype=np.float32)
    assert np.max(jax.jit(activations.sigmoid_derivative)(z)) == pytest.approx(0.25)
    assert np.max(jax.jit(activations.tanh_derivative)(z)) == pytest.approx(1.0)
