"""Channel similarity against NumPy, maps against the layer itself, saliency in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import analysis, models
from dlcourse.errors import UserError


def test_similarity_is_the_cosine_about_the_mean():
    maps = np.random.default_rng(0).normal(size=(11, 3, 5)).astype(np.float32)
    found = analysis.channel_similarity(maps[:2], maps)
    flat = (maps - maps.mean(0)).reshape(11, -1)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    np.testing.assert_allclose(found, unit[:2] @ unit.T, atol=1e-5)
    np.testing.assert_allclose([found[0, 0], found[1, 1]], 1.0, atol=1e-5)


def test_similarity_ignores_what_the_channel_always_answers():
    maps = np.random.default_rng(1).normal(size=(7, 3, 3)).astype(np.float32)
    shifted = maps + 100 * np.ones((1, 3, 3), np.float32)
    np.testing.assert_allclose(
        analysis.channel_similarity(shifted[:1], shifted),
        analysis.channel_similarity(maps[:1], maps),
        atol=1e-3,
    )
    same = np.ones((4, 3, 3), np.float32)
    np.testing.assert_array_equal(analysis.channel_similarity(same, same), 0.0)


def test_maps_are_the_layers_output(key):
    model, images = models.CNN((3, 5)), jax.random.normal(key, (2, 8, 8, 1))
    variables = model.init(key, images)
    maps = analysis.channel_maps(model, variables, images, "Conv_0")
    conv = models.Conv(3, use_bias=False)
    expected = conv.apply({"params": variables["params"]["Conv_0"]}, images)
    np.testing.assert_allclose(maps, expected, atol=1e-6)
    with pytest.raises(UserError, match=r"'Conv_9'.*Conv_0"):
        analysis.channel_maps(model, variables, images, "Conv_9")


def test_saliency_of_a_linear_model_is_its_weights():
    weights = np.random.default_rng(2).normal(size=(3, 5, 2, 4)).astype(np.float32)
    images = np.random.default_rng(3).normal(size=(6, 3, 5, 2)).astype(np.float32)

    def logits(x):
        return jnp.einsum("nhwc,hwck->nk", x, weights)

    chosen = np.asarray(logits(images)).argmax(-1)
    expected = np.abs(weights).max(2)[..., chosen].transpose(2, 0, 1)
    np.testing.assert_allclose(analysis.saliency(logits, jnp.array(images)), expected, atol=1e-6)


def test_the_figure_of_what_is_alike_shows_the_best_first():
    images = np.random.default_rng(4).random((5, 4, 4, 3)).astype(np.float32)
    similarity = np.array([[[0.1, 0.9, -0.3, 0.5, 0.2]] * 2] * 3, np.float32)
    figure = analysis.draw_alike(images[:2], images, similarity, (7, 0, 4), most=3)
    rows = np.array(figure.axes).reshape(3 * 2, 1 + 3)
    labels = [panel.get_ylabel() for panel in rows[:, 0]]
    assert labels == ["channel 7"] * 2 + ["channel 0"] * 2 + ["channel 4"] * 2
    for row in rows:
        assert [panel.get_title() for panel in row[1:]] == ["0.90", "0.50", "0.20"]
    np.testing.assert_array_equal(rows[1, 0].images[0].get_array(), images[1])
    np.testing.assert_array_equal(rows[0, 1].images[0].get_array(), images[1])


def test_the_figure_of_maps_has_a_row_an_image_and_a_column_a_channel():
    random = np.random.default_rng(5).random
    maps = random((2, 3, 3, 6))
    figure = analysis.draw_maps(random((2, 5, 5, 3)), maps, random((2, 5, 5)), (4, 1))
    rows = np.array(figure.axes).reshape(2, 4)
    titles = [panel.get_title() for panel in rows[0]]
    assert titles == ["image", "saliency", "channel 4", "channel 1"]
    np.testing.assert_array_equal(rows[1, 2].images[0].get_array(), maps[1, ..., 4])
