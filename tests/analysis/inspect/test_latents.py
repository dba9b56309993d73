"""Models with latents: what is drawn of one whose encoder and decoder are known."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import analysis, data
from dlcourse.analysis.inspect.latents import decoded_plane


def apply(state, batch, key):
    """The code is the mean of the left and of the right half; the image of a code has these."""
    if "latent" not in batch:
        halves = batch["image"].reshape(-1, 8, 2, 4)
        z = state * jnp.mean(halves, axis=(1, 3))
        return {"latent": z, "reconstruction": apply(state, {"latent": z}, key)}
    z = jnp.repeat(batch["latent"] / state, 4, axis=1)
    return jnp.broadcast_to(z[:, None, :, None], (z.shape[0], 8, 8, 1))


@pytest.fixture(scope="module")
def digits():
    images = data.images("digits")
    test = images.splits["test"][:110]
    return dataclasses.replace(images, splits=images.splits | {"test": test})


def grid(figure):
    return np.asarray(figure.axes[0].images[0].get_array())


def test_a_reconstruction_stands_below_its_image(digits):
    figure = analysis.show_reconstructions(apply, digits, count=5)(1.0)
    shown = grid(figure)
    images = digits.read(digits.splits["test"][:5])["image"][..., 0]
    np.testing.assert_allclose(shown[:8, 9:17], images[1])
    np.testing.assert_allclose(shown[9:, 9:13], images[1, :, :4].mean(), rtol=1e-5)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [
        "image",
        "reconstruction",
    ]


def test_a_walk_is_a_line_between_two_codes(digits):
    shown = grid(analysis.show_walks(apply, digits, rows=2, steps=5)(2.0))
    first = digits.read(digits.splits["test"][:1])["image"][0, ..., 0]
    left = shown[0, ::9]  # of the five images in the first row
    np.testing.assert_allclose(left[0], first[:, :4].mean(), rtol=1e-5)
    np.testing.assert_allclose(np.diff(left, n=2), 0, atol=1e-6)
    assert np.abs(left[-1] - left[0]) > 1e-3


def test_codes_and_plane_share_their_axes(digits):
    figure = analysis.show_codes(apply, digits)(1.0)
    codes, plane = figure.axes
    assert len(codes.texts) == 110
    assert codes.get_xlim()[0] < -3 < plane.images[0].get_extent()[0] + 1e-6
    found = decoded_plane(apply, 1.0)
    axis = np.linspace(-3, 3, 17)[:-1] + 3 / 16
    np.testing.assert_allclose(found[2, 5, 0, 0, 0], axis[5], rtol=1e-5)  # z_1 along columns
    np.testing.assert_allclose(found[2, 5, 0, 7, 0], axis[2], rtol=1e-5)


def test_codes_of_more_coordinates_are_seen_along_their_principal_components(digits):
    def stretched(state, batch, key):
        z = jax.random.normal(key, (batch["image"].shape[0], 3)) * jnp.array([[0.1, 9.0, 1.0]])
        return {"latent": z, "reconstruction": batch["image"]}

    (panel,) = analysis.show_codes(stretched, digits)(None).axes
    places = np.array([text.get_position() for text in panel.texts])
    assert 5 < places[:, 0].std() < 13
    assert 0.7 < places[:, 1].std() < 1.3
