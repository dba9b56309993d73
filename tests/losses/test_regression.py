"""Losses of regressions against SciPy and the normal equations."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from dlcourse import losses

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(13, 3)).astype(np.float32)
TARGETS = GENERATOR.normal(size=13, scale=3).astype(np.float32)


def test_huber_is_scipys() -> None:
    errors = np.linspace(-4, 4, 23).astype(np.float32)

    @jax.jit
    def losses_and_slopes(errors: jax.Array) -> tuple:
        target = jnp.full_like(errors, 2)
        slopes = jax.grad(lambda p: losses.huber(p, jnp.zeros_like(p), 1.5).sum())(errors)
        return {d: losses.huber(errors + 2, target, d) for d in (0.5, 1.0, 3.0)}, slopes

    found, slopes = losses_and_slopes(errors)
    for delta, loss in found.items():
        np.testing.assert_allclose(loss, scipy.special.huber(delta, errors), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slopes, np.clip(errors, -1.5, 1.5), rtol=1e-5, atol=1e-6)


def test_least_squares_has_the_normal_equations_for_its_minimum() -> None:
    weights, *_ = np.linalg.lstsq(INPUTS, TARGETS)

    @jax.jit
    @jax.value_and_grad
    def cost(weights: jax.Array) -> jax.Array:
        return jnp.sum(losses.squared_error(INPUTS @ weights, jnp.asarray(TARGETS)))

    np.testing.assert_allclose(cost(weights)[1], np.zeros(3), atol=1e-4)
    np.testing.assert_allclose(cost(np.zeros_like(weights))[0], np.sum(TARGETS**2), rtol=1e-5)


@pytest.mark.parametrize("loss", [losses.squared_error, losses.huber])
def test_a_column_is_not_compared_with_a_row(loss) -> None:
    """Outside of jaxtyping's checks, in a user's program, it would broadcast to every pair."""
    with pytest.raises(ValueError, match=r"\(7, 1\) and targets \(7,\) differ"):
        inspect.unwrap(loss)(jnp.asarray(INPUTS[:7, :1]), jnp.asarray(TARGETS[:7]))
