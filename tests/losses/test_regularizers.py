"""Penalties and their gradients against the deck."""

import jax
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
    penalties = [
        jax.value_and_grad(lambda params, penalty=penalty: scale * penalty(params))
        for penalty in (losses.l2, losses.l1)
    ]
    (l2, ridge), (l1, lasso) = jax.jit(lambda params: [each(params) for each in penalties])(params)
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
    def weights(params: dict) -> dict:
        return {"w": True, "b": False}

    @jax.jit
    def penalties(params: dict) -> list:
        return [losses.l2(params), losses.l2(params, weights), losses.l1(params, weights)]

    found = penalties({"w": np.float32([3.0, -4.0]), "b": np.float32([7.0])})
    # Nothing here is called a kernel.
    assert [penalty.item() for penalty in found] == [0.0, 12.5, 7.0]
