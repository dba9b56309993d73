"""Gradients along a path: completeness, closed forms, and agreement with Shapley values."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import analysis
from tests.analysis.networks import FEATURES, smooth_network


def relu_network(x) -> jax.Array:
    """Kinks along the way, with weights of the size that networks have."""
    rng = np.random.default_rng(4)
    x = x.reshape(len(x), -1)
    first = rng.normal(size=(x.shape[1], 23)).astype(np.float32)
    hidden = jax.nn.relu(x @ first / np.float32(x.shape[1] ** 0.5))
    return (hidden @ rng.normal(size=23).astype(np.float32)) / np.float32(23**0.5)


@pytest.mark.parametrize("model", [lambda x: smooth_network(x)[:, 1], relu_network])
def test_integrated_and_expected_gradients_are_complete(model, pictures, other_pictures) -> None:
    baseline = np.zeros(pictures.shape[1:], np.float32)

    @jax.jit
    def explained(pictures, baseline, others) -> dict:
        integrated = analysis.integrated_gradients(model, pictures, baseline, steps=256)
        expected = analysis.expected_gradients(model, pictures, others, steps=256)
        outputs = model(pictures)
        return {
            "integrated": (integrated.sum((1, 2, 3)), outputs - model(baseline[None])),
            "expected": (expected.sum((1, 2, 3)), outputs - model(others).mean()),
        }

    for values, difference in explained(pictures, baseline, other_pictures).values():
        chex.assert_trees_all_close(values, difference, atol=1e-3)


def test_gradients_of_a_quadratic_form_are_exact() -> None:
    """f = x·A x has the path integral (x - x') ∘ A (x + x') for a symmetric A."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(FEATURES, FEATURES)).astype(np.float32)
    a = a + a.T
    x, baselines = rng.normal(size=(2, 4, FEATURES)).astype(np.float32)

    def form(x) -> jax.Array:
        return jnp.einsum("bi,ij,bj->b", x, a, x)

    @jax.jit
    def gradients(x, baselines) -> tuple:
        one = analysis.integrated_gradients(form, x, baselines[0], steps=2)
        return one, analysis.expected_gradients(form, x, baselines, steps=2)

    one, several = gradients(x, baselines)
    expected = np.stack([(x - each) * ((x + each) @ a) for each in baselines])
    np.testing.assert_allclose(one, expected[0], rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(several, expected.mean(0), rtol=1e-6, atol=1e-4)


def test_without_interactions_expected_gradients_are_shapley_values(example, background) -> None:
    def additive(x) -> jax.Array:
        return jnp.sin(x) @ np.arange(1, FEATURES + 1, dtype=np.float32)

    @jax.jit
    def both(example, background) -> tuple:
        gradients = analysis.expected_gradients(additive, example[None], background)[0]
        return gradients, analysis.shapley_values(additive, example, background)

    chex.assert_trees_all_close(*both(example, background), atol=1e-3)


def test_a_model_blind_to_a_pixel_gives_it_nothing(pictures) -> None:
    seen = np.ones(pictures.shape[1:], np.float32)
    seen[2, 3] = 0
    grey = np.full(pictures.shape[1:], 0.5, np.float32)

    @jax.jit
    def values_of(pictures, baseline) -> jax.Array:
        return analysis.integrated_gradients(
            lambda x: relu_network(x * seen[None]), pictures, baseline
        )

    values = np.asarray(values_of(pictures, grey))
    assert not np.any(values[:, 2, 3])
    assert np.all(np.any(values != 0, axis=(1, 2, 3)))
