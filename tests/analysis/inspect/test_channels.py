"""Channel similarity against NumPy, maps against the layer itself, saliency in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import analysis, models
from dlcourse.errors import UserError
from tests.fixtures.weights import draw
from tests.models.variables import drawn

channel_similarity = jax.jit(analysis.channel_similarity)


def test_similarity_is_the_cosine_about_the_mean():
    maps = np.random.default_rng(0).normal(size=(11, 3, 5)).astype(np.float32)
    found = channel_similarity(maps[:2], maps)
    flat = (maps - maps.mean(0)).reshape(11, -1)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    np.testing.assert_allclose(found, unit[:2] @ unit.T, atol=1e-5)
    np.testing.assert_allclose(np.diag(found), 1.0, atol=1e-5)


def test_similarity_ignores_what_the_channel_always_answers():
    maps = np.random.default_rng(1).normal(size=(11, 3, 5)).astype(np.float32)
    shifted = maps + np.float32(100)
    np.testing.assert_allclose(
        channel_similarity(shifted[:2], shifted), channel_similarity(maps[:2], maps), atol=1e-3
    )
    same = np.ones((11, 3, 5), np.float32)
    np.testing.assert_array_equal(channel_similarity(same[:2], same), 0.0)


def test_maps_are_the_layers_output():
    model, images = models.CNN((3, 5)), draw("images", (2, 8, 8, 1))
    variables = drawn(model, images)

    @jax.jit
    def maps(images):
        return analysis.channel_maps(model, variables, images, "Conv_0")

    @jax.jit
    def convolved(images):
        conv = models.Conv(3, use_bias=False)
        return conv.apply({"params": variables["params"]["Conv_0"]}, images)

    np.testing.assert_allclose(maps(images), convolved(images), atol=1e-6)
    with pytest.raises(UserError, match=r"'Conv_9'.*Conv_0"):
        jax.eval_shape(lambda x: analysis.channel_maps(model, variables, x, "Conv_9"), images)


def test_saliency_of_a_linear_model_is_its_weights():
    weights = np.random.default_rng(2).normal(size=(3, 5, 2, 4)).astype(np.float32)
    images = np.random.default_rng(3).normal(size=(6, 3, 5, 2)).astype(np.float32)

    def logits(x):
        return jnp.einsum("nhwc,hwck->nk", x, weights)

    chosen = np.einsum("nhwc,hwck->nk", images, weights).argmax(-1)
    expected = np.abs(weights).max(2)[..., chosen].transpose(2, 0, 1)
    found = jax.jit(lambda images: analysis.saliency(logits, images))(images)
    np.testing.assert_allclose(found, expected, atol=1e-6)
