"""Images as patches: which pixels a patch holds, counts, and where a class token looks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import analysis, models
from dlcourse.errors import UserError
from dlcourse.models.sequence.patches import patches

IMAGES = np.random.default_rng(0).normal(size=(3, 6, 9, 2)).astype(np.float32)


def test_a_patch_is_a_square_of_the_image_row_by_row():
    found = np.asarray(patches(jnp.asarray(IMAGES), 3))
    assert found.shape == (3, 6, 18)
    for number in range(6):
        row, column = divmod(number, 3)
        square = IMAGES[:, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
        np.testing.assert_array_equal(found[:, number], square.reshape(3, -1))


def test_patches_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="Patches of 4 pixels do not divide images of 6 x 9 pixels"):
        patches(jnp.asarray(IMAGES), 4)


def test_counts():
    """Patches, class token and places, 12 layers, the last norm and the readout: ViT-B/16."""
    model = models.PatchTransformer(1000, 16, 12, 12, 768, 3072)
    image = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    params = jax.eval_shape(model.init, jax.random.key(0), image)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 86_567_656


def test_where_the_class_token_looks_is_sown_and_drawn():
    model = models.PatchTransformer(5, 3, layers=2, heads=2, features=8, hidden=12)
    run = jax.jit(lambda p, x: model.apply(p, x, mutable="intermediates"))
    params = jax.jit(model.init)(jax.random.key(0), IMAGES)
    logits, sown = run({"params": params["params"]}, IMAGES)
    assert logits.shape == (3, 5)
    weights = sown["intermediates"]["TransformerLayer_1"]["attention"]["weights"][0]
    assert weights.shape == (3, 2, 7, 7)
    np.testing.assert_allclose(np.sum(weights, axis=-1), 1, rtol=1e-5)
    maps = np.asarray(weights)[:, :, 0, 1:].reshape(3, 2, 2, 3)
    pixels = np.clip(IMAGES[..., :1], 0, 1)
    figure = analysis.draw_patch_attention(pixels, maps, ["one", "two"], ["a", "b", "c"])
    assert len(figure.axes) == 9
