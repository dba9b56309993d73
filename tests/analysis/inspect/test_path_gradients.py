"""Gradients along a path: completeness, closed forms, and agreement with Shapley values."""

import chex
import jax
import jax.numpy as jnp
import pytest

from dlcourse import analysis
from tests.analysis.networks import FEATURES, smooth_network


def relu_network(x) -> jax.Array:
    """Kinks along the way, with weights of the size that networks have."""
    first, last = jax.random.split(jax.random.key(4))
    x = x.reshape(len(x), -1)
    hidden = jax.nn.relu(x @ jax.random.normal(first, (x.shape[1], 23)) / x.shape[1] ** 0.5)
    return (hidden @ jax.random.normal(last, (23, 1)))[:, 0] / 23**0.5


@pytest.mark.parametrize("model", [lambda x: smooth_network(x)[:, 1], relu_network])
def test_integrated_gradients_are_complete(model, pictures) -> None:
    baseline = jnp.zeros(pictures.shape[1:])
    values = analysis.integrated_gradients(model, pictures, baseline, steps=256)
    explained = model(pictures) - model(baseline[None])
    chex.assert_trees_all_close(values.sum((1, 2, 3)), explained, atol=1e-3)


@pytest.mark.parametrize("model", [lambda x: smooth_network(x)[:, 1], relu_network])
def test_expected_gradients_are_complete(model, pictures) -> None:
    background = jax.random.uniform(jax.random.key(5), (6, 5, 7, 1))
    values = analysis.expected_gradients(model, pictures, background, steps=256)
    explained = model(pictures) - model(background).mean()
    chex.assert_trees_all_close(values.sum((1, 2, 3)), explained, atol=1e-3)


def test_gradients_of_a_quadratic_form_are_exact() -> None:
    """f = x·A x has the path integral (x - x') ∘ A (x + x') for a symmetric A."""
    a = jax.random.normal(jax.random.key(0), (FEATURES, FEATURES))
    a = a + a.T
    x, baselines = jax.random.normal(jax.random.key(1), (2, 4, FEATURES))

    def form(x) -> jax.Array:
        return jnp.einsum("bi,ij,bj->b", x, a, x)

    expected = jnp.stack([(x - each[None]) * ((x + each[None]) @ a) for each in baselines])
    one = analysis.integrated_gradients(form, x, baselines[0], steps=2)
    chex.assert_trees_all_close(one, expected[0], atol=1e-4)
    several = analysis.expected_gradients(form, x, baselines, steps=2)
    chex.assert_trees_all_close(several, expected.mean(0), atol=1e-4)


def test_without_interactions_expected_gradients_are_shapley_values(example, background) -> None:
    def additive(x) -> jax.Array:
        return jnp.sin(x) @ jnp.arange(1.0, FEATURES + 1)

    shapley = analysis.shapley_values(additive, example, background)
    gradients = analysis.expected_gradients(additive, example[None], background)
    chex.assert_trees_all_close(gradients[0], shapley, atol=1e-3)


def test_a_model_blind_to_a_pixel_gives_it_nothing(pictures) -> None:
    blind = pictures[..., 0].at[:, 2, 3].multiply(0)[..., None]
    mask = (blind == pictures)[0]
    values = analysis.integrated_gradients(
        lambda x: relu_network(x * mask[None]), pictures, jnp.full(pictures.shape[1:], 0.5)
    )
    assert not jnp.any(values[:, 2, 3])
    assert jnp.all(jnp.any(values != 0, axis=(1, 2, 3)))
