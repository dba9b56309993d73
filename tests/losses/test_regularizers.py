"""Penalties and their gradients against the deck."""

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import losses

GENERATOR = np.random.default_rng(0)
FIRST = GENERATOR.normal(size=(13, 5), scale=3).astype(np.float32)
SECOND = GENERATOR.normal(size=(5, 7)).astype(np.float32)


def test_the_decks_penalties_and_their_gradients() -> None:
    params = {
        "Dense_0": {"kernel": FIRST, "bias": np.ones(5, np.float32)},
        "Dense_1": {"kernel": SECOND, "bias": np.ones(7, np.float32)},
    }
    weight, examples = 0.7, 13  # the deck's λ and m
    squares = np.sum(FIRST.astype(np.float64) ** 2) + np.sum(SECOND.astype(np.float64) ** 2)
    scale = weight / examples
    l2, ridge = jax.jit(jax.value_and_grad(lambda params: scale * losses.l2(params)))(params)
    l1, lasso = jax.jit(jax.value_and_grad(lambda params: scale * losses.l1(params)))(params)
    np.testing.assert_allclose(l2, weight / (2 * examples) * squares, rtol=1e-6)
    sizes = np.sum(np.abs(FIRST.astype(np.float64))) + np.sum(np.abs(SECOND.astype(np.float64)))
    np.testing.assert_allclose(l1, scale * sizes, rtol=1e-6)
    for layer in params:
        kernel = params[layer]["kernel"]
        np.testing.assert_allclose(ridge[layer]["kernel"], scale * kernel, rtol=1e-5)
        np.testing.assert_allclose(lasso[layer]["kernel"], scale * np.sign(kernel), rtol=1e-5)
        for penalty in (ridge, lasso):
            np.testing.assert_array_equal(penalty[layer]["bias"], 0.0)


def test_a_penalty_by_a_rule_of_ones_own() -> None:
    params = {"w": jnp.array([3.0, -4.0]), "b": jnp.array([7.0])}
    assert losses.l2(params) == 0.0  # nothing here is called a kernel
    assert losses.l2(params, lambda params: {"w": True, "b": False}) == 12.5
    assert losses.l1(params, lambda params: {"w": True, "b": False}) == 7.0
