"""Augmentation: identities, geometry, distributions, and independence of the batch."""

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


@pytest.fixture(scope="module")
def image() -> jax.Array:
    return jax.random.uniform(jax.random.key(0), (HEIGHT, WIDTH, 3))


@pytest.fixture(scope="module")
def batch() -> dict[str, jax.Array]:
    return {
        "image": jax.random.uniform(jax.random.key(0), (5, HEIGHT, WIDTH, 3)),
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
APPLY_ALL = jax.jit(augment.per_example(ALL))  # compiled once for a batch of five


def test_neutral_parameters_change_nothing(key, image) -> None:
    transforms = {
        "flip": functools.partial(augment.flip, probability=0.0),
        "crop": functools.partial(augment.crop, padding=0),
        "affine": augment.affine,
        "colour_jitter": augment.colour_jitter,
        "cutout": functools.partial(augment.cutout, size=0),
        "compose": augment.compose(),
    }
    apply = jax.jit(lambda key, image: {name: t(key, image) for name, t in transforms.items()})
    chex.assert_trees_all_close(apply(key, image), dict.fromkeys(transforms, image), atol=1e-6)


def test_the_whole_chain_keeps_shape_and_range(key, batch) -> None:
    out = APPLY_ALL(key, batch)
    assert out["image"].shape == batch["image"].shape
    assert jnp.all((out["image"] >= 0) & (out["image"] <= 1))
    chex.assert_trees_all_equal(out["label"], batch["label"])
    assert jnp.all(jnp.any(out["image"] != batch["image"], axis=(1, 2, 3)))


def test_an_example_does_not_depend_on_its_batch(key, batch) -> None:
    """Its size, its order and the other examples have no effect; the key of the step has."""
    whole = APPLY_ALL(key, batch)["image"]
    turned = APPLY_ALL(key, jax.tree.map(lambda x: x[::-1], batch))["image"]
    part = APPLY_ALL(key, jax.tree.map(lambda x: x[1:3], batch))["image"]
    chex.assert_trees_all_close(turned[::-1], whole, atol=1e-6)
    chex.assert_trees_all_close(part, whole[1:3], atol=1e-6)
    other_step = APPLY_ALL(jax.random.fold_in(key, 1), batch)["image"]
    assert jnp.all(jnp.any(other_step != whole, axis=(1, 2, 3)))


def test_equal_images_are_transformed_differently(key, image) -> None:
    same = {"image": jnp.stack([image] * 5), "index": jnp.arange(5), "label": jnp.arange(5)}
    out = np.asarray(APPLY_ALL(key, same)["image"])
    assert len(np.unique(out.reshape(5, -1), axis=0)) == 5


def test_flip_mirrors_columns_with_probability_one_half(key, image) -> None:
    always = augment.flip(key, image, probability=1.0)
    chex.assert_trees_all_equal(always, image[:, ::-1])
    changes = jax.jit(jax.vmap(lambda k: jnp.any(augment.flip(k, image) != image)))
    flipped = changes(keys(key, 1000))
    # Four standard deviations of a fair coin.
    assert abs(jnp.mean(flipped) - 0.5) < 4 * 0.5 / 1000**0.5


def test_crop_reaches_every_position_equally_often(key) -> None:
    """A single bright pixel shows the position of the window."""
    image = jnp.zeros((HEIGHT, WIDTH, 1)).at[3, 5].set(1.0)
    crop = functools.partial(augment.crop, padding=2)
    windows = jax.jit(jax.vmap(crop, in_axes=(0, None)))(keys(key, 5000), image)
    counts = np.asarray(windows)[..., 0].sum(0)
    assert counts[1:6, 3:8].sum() == 5000
    # 25 positions, 200 windows each; five standard deviations.
    assert np.all(np.abs(counts[1:6, 3:8] - 200) < 5 * 200**0.5)


def test_crop_to_a_size_is_a_window_of_the_image(key, image) -> None:
    out = augment.crop(key, image, padding=0, size=(3, 5))
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 5, 3)).reshape(-1, 3, 5, 3)
    assert np.sum(np.all(windows == np.asarray(out), axis=(1, 2, 3))) == 1


def test_a_window_larger_than_the_image_is_refused(key, image) -> None:
    height, width = image.shape[:2]
    with pytest.raises(UserError, match=rf"window of {height + 3}x2.*{height}x{width} with 1 of"):
        augment.crop(key, image, padding=1, size=(height + 3, 2))


def test_crop_fills_the_padding(key, image) -> None:
    out = augment.crop(key, image, padding=50, size=(100, 100), fill=-1)
    assert int(jnp.sum(out != -1)) in {n * m * 3 for n in range(8) for m in range(12)}


def test_warp_equals_scipys_affine_transform(image) -> None:
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
        warped = jax.jit(functools.partial(augment.warp, order=order, fill=0.25))(
            image, degrees, scale
        )
        chex.assert_trees_all_close(warped, jnp.stack(expected, axis=-1), atol=1e-5)


def test_warp_turns_counterclockwise(key) -> None:
    image = jax.random.uniform(key, (5, 5, 2))
    turned = jax.jit(augment.warp)(image, 90.0, 1.0)
    chex.assert_trees_all_close(turned, jnp.rot90(image), atol=1e-5)


def test_a_scale_of_two_enlarges(key) -> None:
    image = jnp.zeros((9, 9, 1)).at[3:6, 3:6].set(1.0)
    assert jnp.sum(jax.jit(augment.warp)(image, 0.0, 2.0) > 0.5) > 1.9 * jnp.sum(image)


def test_affine_draws_angle_and_scale_from_their_ranges(key) -> None:
    """A dot 10 pixels right of the centre moves to radius 10 s and angle θ."""
    image = jnp.zeros((41, 41, 1)).at[19:22, 29:32].set(1.0)
    transform = functools.partial(augment.affine, degrees=60.0, scales=(0.5, 1.5))
    out = jax.jit(jax.vmap(transform, in_axes=(0, None)))(keys(key, 300), image)
    out = np.asarray(out)[..., 0]
    rows, columns = np.indices((41, 41))[:, None] - 20
    mass = out.sum((1, 2))
    y, x = -np.sum(out * rows, (1, 2)) / mass, np.sum(out * columns, (1, 2)) / mass
    degrees, radius = np.rad2deg(np.arctan2(y, x)), np.hypot(x, y) / 10
    assert -60.5 < degrees.min() < -55 < 55 < degrees.max() < 60.5
    assert 0.49 < radius.min() < 0.53 < 1.4 < radius.max() < 1.51


def test_a_mask_is_transformed_like_its_image(key, batch) -> None:
    """The mask is the thresholded red channel of the image, before and after."""
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
    shrink = jax.jit(functools.partial(augment.warp, order=0, fill=255))
    assert jnp.all(shrink(mask, 0.0, 0.01)[0] == 255)


def test_brightness_scales_every_pixel_equally(key, image) -> None:
    image = image * 0.5  # avoids clipping
    jitter = jax.jit(functools.partial(augment.colour_jitter, brightness=0.3))
    ratio = np.asarray(jitter(key, image) / image)
    assert 0.7 < ratio.min() < 1.3
    assert ratio.max() - ratio.min() < 1e-5
    assert abs(ratio.mean() - 1) > 1e-3


def test_contrast_keeps_the_mean_grey_value_and_saturation_all(key, image) -> None:
    luma = jnp.array([0.299, 0.587, 0.114])
    image = 0.4 + 0.2 * image  # avoids clipping

    contrast = jax.jit(functools.partial(augment.colour_jitter, contrast=0.5))(key, image)
    assert abs(jnp.mean(contrast @ luma) - jnp.mean(image @ luma)) < 1e-6
    assert abs(jnp.std(contrast) / jnp.std(image) - 1) > 1e-3

    saturate = jax.jit(functools.partial(augment.colour_jitter, saturation=0.5))
    saturation = saturate(key, image)
    chex.assert_trees_all_close(saturation @ luma, image @ luma, atol=1e-6)
    assert jnp.max(jnp.abs(saturation - image)) > 1e-3
    grey = image[..., :1]
    chex.assert_trees_all_close(saturate(key, grey), grey, atol=1e-6)


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


@pytest.fixture(scope="module")
def mixed():
    """A batch of 4000 and its mixup with alpha 0.4; in each image the first pixel is 0, 1, 0 .."""
    image = jax.random.uniform(jax.random.key(0), (4000, 2, 3, 1))
    image = image.at[:, 0, 0, 0].set(jnp.arange(4000) % 2)
    batch = {"image": image, "label": jnp.arange(4000) % 3, "index": jnp.arange(4000)}
    mixup = jax.jit(functools.partial(augment.mixup, num_classes=3, alpha=0.4))
    # An odd pixel becomes λ 1 + (1 - λ) 0, an even one λ 0 + (1 - λ) 1.
    out = jax.tree.map(np.asarray, mixup(jax.random.key(0), batch))
    first = out["image"][:, 0, 0, 0]
    return batch, out, np.where(np.arange(4000) % 2, first, 1 - first)


def test_mixup_blends_images_and_labels_by_the_same_share(mixed) -> None:
    batch, out, share = mixed
    assert np.all((share >= 0) & (share <= 1))
    for name, values in (("image", batch["image"]), ("label", np.eye(3)[batch["label"]])):
        own, other = np.asarray(values), np.roll(values, 1, axis=0)
        each = share.reshape(-1, *(1,) * (own.ndim - 1))
        np.testing.assert_allclose(out[name], each * own + (1 - each) * other, atol=1e-5)
    np.testing.assert_allclose(out["label"].sum(-1), 1, atol=1e-6)


def test_mixup_shares_follow_beta(mixed) -> None:
    share = mixed[2]
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)).
    assert abs(share.mean() - 0.5) < 0.03
    assert abs(share.var() - 1 / (4 * 1.8)) < 0.01
    assert abs(np.corrcoef(share[1:], share[:-1])[0, 1]) < 4 / 4000**0.5


def test_mixup_of_alpha_zero_changes_no_image_and_no_loss(key, batch) -> None:
    out = augment.mixup(key, batch, num_classes=3, alpha=0.0)
    chex.assert_trees_all_equal(out["image"], batch["image"])
    logits = jax.random.normal(key, (5, 3))
    chex.assert_trees_all_close(
        losses.soft_cross_entropy(logits, out["label"]),
        losses.softmax_cross_entropy(logits, batch["label"]),
        rtol=1e-6,
    )


def test_the_figure_has_a_row_for_each_change(key) -> None:
    images = np.zeros((2, 3, 5, 1), np.float32)
    changes = {"flip": augment.per_example(augment.flip)}
    figure = analysis.draw_augmentations(key, images, changes)
    assert len(figure.axes) == 2 * 2
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["original", "flip"]


def test_a_mask_of_another_size_than_its_image_is_refused(key, batch):
    change = augment.per_example(augment.flip, augment.flip)
    masks = jnp.zeros((5, HEIGHT, WIDTH - 1), jnp.int32)
    with pytest.raises(UserError, match="one label per pixel is needed"):
        change(key, batch | {"label": masks})
