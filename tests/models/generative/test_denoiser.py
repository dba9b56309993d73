"""The U-Net of a diffusion model."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import models
from dlcourse.errors import UserError
from dlcourse.models.vision.group_norm import GroupNorm


@pytest.mark.parametrize("affine", [True, False])
def test_groups_are_normalised_as_linen_does(affine, key):
    x = 3 + 2 * jax.random.normal(key, (3, 4, 5, 12))
    ours = GroupNorm(4, affine)
    theirs = nn.GroupNorm(4, use_scale=affine, use_bias=affine)
    variables = theirs.init(key, x)
    variables = jax.tree.map(lambda leaf: leaf + 0.3 * jnp.arange(12.0), variables)
    np.testing.assert_allclose(
        ours.apply(variables, x), theirs.apply(variables, x), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(UserError, match="12 channels cannot be divided into 5 groups"):
        GroupNorm(5).init(key, x)


@pytest.fixture(scope="module")
def network():
    model = models.Denoiser((8, 12), classes=3)
    inputs = {
        "image": jax.random.normal(jax.random.key(0), (2, 8, 4, 1)),
        "step": jnp.array([0, 30]),
        "label": jnp.array([1, 3]),
    }
    variables = jax.jit(model.init)(jax.random.key(1), inputs)
    # The last layers begin at zero; here every weight shall matter.
    noise = jax.random.normal(jax.random.key(2), (100_000,))
    variables = jax.tree.map(
        lambda leaf: leaf + 0.1 * noise[: leaf.size].reshape(leaf.shape), variables
    )
    return jax.jit(model.apply), variables, inputs


def test_it_begins_at_zero_and_keeps_the_size(key):
    model, image = models.Denoiser((4,)), jnp.ones((2, 8, 4, 1))
    given = {"image": image, "step": jnp.array([0, 5]), "label": jnp.zeros(2, jnp.int32)}
    outputs, variables = jax.jit(model.init_with_output)(key, given)
    np.testing.assert_array_equal(outputs, 0 * image)
    assert "Embed_0" not in variables["params"]  # without classes, no label is read


@pytest.mark.parametrize("name", ["step", "label"])
def test_step_and_class_matter_to_their_image_alone(network, name):
    apply, variables, inputs = network
    before = apply(variables, inputs)
    after = apply(variables, inputs | {name: inputs[name].at[0].set(2)})
    assert np.abs(after[0] - before[0]).max() > 1e-3
    np.testing.assert_array_equal(after[1], before[1])


def test_every_pixel_is_seen_by_every_other(network):
    """By the attention of the lowest level, if not before."""
    apply, variables, inputs = network

    def corner(image):
        return apply(variables, inputs | {"image": image})[0, 0, 0, 0]

    seen = np.asarray(jax.grad(corner)(inputs["image"]))
    assert np.all(seen[0] != 0)
    assert not seen[1].any()


def test_a_size_that_cannot_be_halved_is_refused(key):
    inputs = {"image": jnp.ones((1, 6, 6, 1)), "step": jnp.zeros(1, jnp.int32)}
    with pytest.raises(UserError, match=r"3 levels halve an image 2 times, which 6x6 pixels do"):
        models.Denoiser((8, 8, 8)).init(key, inputs)
