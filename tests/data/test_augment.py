"""Augmentation: what parameters of no effect leave alone, where pixels go, whose key decides."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from dlcourse import analysis, losses
from dlcourse.data import augment
from dlcourse.errors import UserError

HEIGHT, WIDTH = 7, 11


@pytest.fixture
def image(key) -> jax.Array:
    return jax.random.uniform(key, (HEIGHT, WIDTH, 3))


@pytest.fixture
def batch(key) -> dict[str, jax.Array]:
    return {
        "image": jax.random.uniform(key, (5, HEIGHT, WIDTH, 3)),
        "label": jnp.array([0, 2, 1, 1, 2]),
        "index": jnp.array([3, 19, 4, 0, 8]),
    }


def keys(key, count) -> jax.Array:
    return jax.random.split(key, count)


ALL = augment.compose(
    augment.flip,
    functools.partial(augment.crop, padding=2),
    functools.partial(augment.affine, degrees=20.0, scales=(0.8, 1.25)),
    functools.partial(augment.colour_jitter, brightness=0.4, contrast=0.4, saturation=0.4),
    functools.partial(augment.cutout, size=3),
)


@pytest.mark.parametrize(
    "transform",
    [
        functools.partial(augment.flip, probability=0.0),
        functools.partial(augment.crop, padding=0),
        augment.affine,
        augment.colour_jitter,
        functools.partial(augment.cutout, size=0),
        augment.compose(),
    ],
)
def test_parameters_of_no_effect_change_nothing(key, image, transform) -> None:
    chex.assert_trees_all_close(transform(key, image), image, atol=1e-6)


def test_all_together_keep_shape_and_range(key, batch) -> None:
    out = jax.jit(augment.per_example(ALL))(key, batch)
    assert out["image"].shape == batch["image"].shape
    assert jnp.all((out["image"] >= 0) & (out["image"] <= 1))
    chex.assert_trees_all_equal(out["label"], batch["label"])
    assert jnp.all(jnp.any(out["image"] != batch["image"], axis=(1, 2, 3)))


def test_an_example_depends_on_its_own_key_and_on_nothing_else(key, batch) -> None:
    """Cut the batch, turn it round, put others beside it: example 19 stays what it was."""
    apply = jax.jit(augment.per_example(ALL))
    whole = apply(key, batch)["image"]
    turned = apply(key, jax.tree.map(lambda x: x[::-1], batch))["image"]
    part = apply(key, jax.tree.map(lambda x: x[1:3], batch))["image"]
    chex.assert_trees_all_close(turned[::-1], whole, atol=1e-6)
    chex.assert_trees_all_close(part, whole[1:3], atol=1e-6)
    other_step = apply(jax.random.fold_in(key, 1), batch)["image"]
    assert jnp.all(jnp.any(other_step != whole, axis=(1, 2, 3)))


def test_examples_with_the_same_pixels_are_changed_differently(key, image) -> None:
    batch = {"image": jnp.stack([image] * 4), "index": jnp.arange(4)}
    out = jax.jit(augment.per_example(ALL))(key, batch)["image"]
    for i in range(4):
        for j in range(i):
            assert jnp.any(out[i] != out[j])


def test_flip_mirrors_columns_half_of_the_time(key, image) -> None:
    always = augment.flip(key, image, probability=1.0)
    chex.assert_trees_all_equal(always, image[:, ::-1])
    flipped = jax.vmap(lambda k: jnp.any(augment.flip(k, image) != image))(keys(key, 1000))
    # Four standard deviations of a fair coin.
    assert abs(jnp.mean(flipped) - 0.5) < 4 * 0.5 / 1000**0.5


def test_crop_shifts_and_reaches_every_place_equally_often(key) -> None:
    """A single bright pixel says where the window was cut."""
    image = jnp.zeros((HEIGHT, WIDTH, 1)).at[3, 5].set(1.0)
    crop = functools.partial(augment.crop, padding=2)
    out = jax.vmap(crop, in_axes=(0, None))(keys(key, 5000), image)[..., 0]
    counts = jnp.sum(out, axis=0)
    assert counts[1:6, 3:8].sum() == 5000
    # 25 places, 200 windows each; five standard deviations.
    assert jnp.all(jnp.abs(counts[1:6, 3:8] - 200) < 5 * 200**0.5)


def test_crop_to_a_size_is_a_window_of_the_image(key, image) -> None:
    out = augment.crop(key, image, padding=0, size=(3, 5))
    windows = [image[i : i + 3, j : j + 5] for i in range(HEIGHT - 2) for j in range(WIDTH - 4)]
    assert sum(bool(jnp.all(out == window)) for window in windows) == 1


def test_a_window_larger_than_the_image_is_refused(key, image) -> None:
    height, width = image.shape[:2]
    with pytest.raises(UserError, match=rf"window of {height + 3}x2.*{height}x{width} with 1 of"):
        augment.crop(key, image, padding=1, size=(height + 3, 2))


def test_crop_fills_what_lies_outside(key, image) -> None:
    out = augment.crop(key, image, padding=50, size=(100, 100), fill=-1)
    assert int(jnp.sum(out != -1)) in {n * m * 3 for n in range(8) for m in range(12)}


def test_warp_is_scipys_affine_transform(image) -> None:
    degrees, scale = 33.0, 1.3
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / scale
    centre = np.array([(HEIGHT - 1) / 2, (WIDTH - 1) / 2])
    for order in (0, 1):
        expected = [
            scipy.ndimage.affine_transform(
                np.asarray(image[..., channel]),
                turn,
                centre - turn @ centre,
                order=order,
                mode="grid-constant",
                cval=0.25,
            )
            for channel in range(3)
        ]
        warped = augment.warp(image, degrees, scale, order=order, fill=0.25)
        chex.assert_trees_all_close(warped, jnp.stack(expected, axis=-1), atol=1e-5)


def test_a_quarter_turn_goes_counterclockwise(key) -> None:
    image = jax.random.uniform(key, (5, 5, 2))
    chex.assert_trees_all_close(augment.warp(image, 90.0, 1.0), jnp.rot90(image), atol=1e-5)


def test_twice_the_scale_enlarges(key) -> None:
    image = jnp.zeros((9, 9, 1)).at[3:6, 3:6].set(1.0)
    assert jnp.sum(augment.warp(image, 0.0, 2.0) > 0.5) > 1.9 * jnp.sum(image)


def test_affine_draws_angle_and_scale_from_their_ranges(key) -> None:
    """A dot 10 right of the centre lands at radius 10 s and angle θ."""
    image = jnp.zeros((41, 41, 1)).at[19:22, 29:32].set(1.0)
    transform = functools.partial(augment.affine, degrees=60.0, scales=(0.5, 1.5))
    out = jax.jit(jax.vmap(transform, in_axes=(0, None)))(keys(key, 300), image)[..., 0]
    rows, columns = jnp.indices((41, 41))[:, None] - 20
    mass = jnp.sum(out, axis=(1, 2))
    y, x = -jnp.sum(out * rows, (1, 2)) / mass, jnp.sum(out * columns, (1, 2)) / mass
    degrees, radius = jnp.rad2deg(jnp.arctan2(y, x)), jnp.hypot(x, y) / 10
    assert -60.5 < degrees.min() < -55 < 55 < degrees.max() < 60.5
    assert 0.49 < radius.min() < 0.53 < 1.4 < radius.max() < 1.51


def test_a_mask_moves_with_its_image(key, batch) -> None:
    """The mask is the image's own red channel, above a half: it must stay so."""
    image = jnp.round(batch["image"])
    batch = batch | {"image": image, "label": image[..., 0].astype(jnp.int32)}
    shared = augment.flip, functools.partial(augment.crop, padding=2)
    colour = functools.partial(augment.colour_jitter, brightness=0.2)
    nearest = functools.partial(augment.affine, degrees=30.0, order=0)
    both = augment.per_example(
        augment.compose(*shared, nearest, colour), augment.compose(*shared, nearest)
    )
    out = jax.jit(both)(key, batch)
    assert out["label"].dtype == jnp.int32
    chex.assert_trees_all_equal(out["image"][..., 0] > 0.5, out["label"] == 1)
    assert jnp.any(out["label"] != batch["label"])


def test_a_mask_is_filled_with_the_ignored_label(key) -> None:
    mask = jnp.ones((4, 4, 1), jnp.int32)
    out = augment.crop(key, mask, padding=9, fill=255)
    assert set(np.unique(out)) <= {1, 255}
    assert jnp.all(augment.warp(mask, 0.0, 0.01, order=0, fill=255)[0] == 255)


def test_brightness_scales_every_pixel_alike(key, image) -> None:
    image = image * 0.5  # so that nothing clips
    out = augment.colour_jitter(key, image, brightness=0.3)
    ratio = out / image
    assert 0.7 < ratio.min() < 1.3
    assert ratio.max() - ratio.min() < 1e-5
    assert abs(ratio.mean() - 1) > 1e-3


def test_contrast_keeps_the_mean_grey_and_saturation_keeps_every_grey(key, image) -> None:
    luma = jnp.array([0.299, 0.587, 0.114])
    image = 0.4 + 0.2 * image  # so that nothing clips

    contrast = augment.colour_jitter(key, image, contrast=0.5)
    assert abs(jnp.mean(contrast @ luma) - jnp.mean(image @ luma)) < 1e-6
    assert abs(jnp.std(contrast) / jnp.std(image) - 1) > 1e-3

    saturation = augment.colour_jitter(key, image, saturation=0.5)
    chex.assert_trees_all_close(saturation @ luma, image @ luma, atol=1e-6)
    assert jnp.max(jnp.abs(saturation - image)) > 1e-3
    grey = image[..., :1]
    chex.assert_trees_all_close(augment.colour_jitter(key, grey, saturation=0.5), grey, atol=1e-6)


def test_cutout_covers_one_square_centred_on_any_pixel(key, image) -> None:
    size = 3
    out = jax.jit(jax.vmap(lambda k: augment.cutout(k, image, size=size)))(keys(key, 400))
    covered = np.asarray(jnp.all(out == 0, axis=-1))
    squares = {
        tuple(np.ravel(np.outer(abs(np.arange(HEIGHT) - i) <= 1, abs(np.arange(WIDTH) - j) <= 1)))
        for i in range(HEIGHT)
        for j in range(WIDTH)
    }
    seen = {tuple(mask.ravel()) for mask in covered}
    assert seen <= squares
    assert len(seen) == len(squares) == 77  # 400 draws miss one of 77 with probability 0.4


def test_mixup_blends_images_and_labels_by_the_same_share(key, batch) -> None:
    out = augment.mixup(key, batch, num_classes=3, alpha=1.0)
    labels = jax.nn.one_hot(batch["label"], 3)
    for i in range(5):
        difference = (batch["image"][i] - batch["image"][i - 1]).ravel()
        share = jnp.dot(out["image"][i].ravel() - batch["image"][i - 1].ravel(), difference)
        share = share / jnp.dot(difference, difference)
        assert 0 <= share <= 1
        mixed = share * batch["image"][i] + (1 - share) * batch["image"][i - 1]
        chex.assert_trees_all_close(out["image"][i], mixed, atol=1e-5)
        chex.assert_trees_all_close(
            out["label"][i], share * labels[i] + (1 - share) * labels[i - 1], atol=1e-5
        )
    chex.assert_trees_all_close(jnp.sum(out["label"], axis=-1), jnp.ones(5), atol=1e-6)


def test_mixup_shares_follow_beta(key) -> None:
    batch = {
        "image": jnp.tile(jnp.array([0.0, 1.0])[:, None, None, None], (2000, 1, 1, 1)),
        "label": jnp.zeros(4000, jnp.int32),
        "index": jnp.arange(4000),
    }
    share = augment.mixup(key, batch, num_classes=2, alpha=0.4)["image"][1::2].ravel()
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)).
    assert abs(share.mean() - 0.5) < 0.03
    assert abs(share.var() - 1 / (4 * 1.8)) < 0.01


def test_mixup_of_alpha_zero_changes_no_image_and_no_loss(key, batch) -> None:
    out = augment.mixup(key, batch, num_classes=3, alpha=0.0)
    chex.assert_trees_all_equal(out["image"], batch["image"])
    logits = jax.random.normal(key, (5, 3))
    chex.assert_trees_all_close(
        losses.soft_cross_entropy(logits, out["label"]),
        losses.softmax_cross_entropy(logits, batch["label"]),
        rtol=1e-6,
    )


def test_a_picture_has_a_row_a_change(key) -> None:
    images = np.zeros((2, 3, 5, 1), np.float32)
    changes = {"flip": augment.per_example(augment.flip)}
    figure = analysis.draw_augmentations(key, images, changes)
    assert len(figure.axes) == 2 * 2
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["as it is", "flip"]


def test_a_mask_of_another_size_than_its_image_is_refused(key, batch):
    change = augment.per_example(augment.flip, augment.flip)
    masks = jnp.zeros((5, HEIGHT, WIDTH - 1), jnp.int32)
    with pytest.raises(UserError, match="one label a pixel is needed"):
        change(key, batch | {"label": masks})
