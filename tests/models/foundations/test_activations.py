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
    np.testing.assert_allclose(
        ACTIVATIONS[name].function(jnp.array([-2.0, 0.5])), VALUES[name], rtol=1e-5
    )


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_derivative_is_jax_grad_away_from_kinks(name) -> None:
    with jax.enable_x64(True):
        z = jnp.linspace(-30.0, 30.0, 1000)  # an even count, so that 0 is not among them
        function, derivative = ACTIVATIONS[name]
        np.testing.assert_allclose(
            derivative(z), jax.vmap(jax.grad(function))(z), rtol=1e-10, atol=1e-14
        )


def test_softmax_jacobian_is_jacfwd() -> None:
    with jax.enable_x64(True):
        z = jax.random.normal(jax.random.key(1), (3, 5)) * 4
        np.testing.assert_allclose(
            activations.softmax_derivative(z),
            jax.vmap(jax.jacfwd(activations.softmax))(z),
            atol=1e-14,
        )
        np.testing.assert_allclose(jnp.sum(activations.softmax(z), axis=-1), 1.0, atol=1e-14)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu"])
def test_the_kink_takes_the_decks_side(name) -> None:
    assert ACTIVATIONS[name].derivative(jnp.zeros(())) == 1.0


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_far_out_stays_finite(name) -> None:
    z = jnp.array([-1e4, -100.0, 100.0, 1e4])
    assert all(bool(jnp.all(jnp.isfinite(f(z)))) for f in ACTIVATIONS[name])


def test_greatest_slopes() -> None:
    z = jnp.linspace(-5.0, 5.0, 2001)
    assert jnp.max(activations.sigmoid_derivative(z)) == pytest.approx(0.25)
    assert jnp.max(activations.tanh_derivative(z)) == pytest.approx(1.0)
