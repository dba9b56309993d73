"""Augmentation: identities, geometry, distributions, and independence of the batch."""

import functools

import chex
import jax
import numpy as np
import pytest
import scipy.ndimage

from dlcourse import analysis, losses
from dlcourse.data import augment
from dlcourse.errors import UserError

HEIGHT, WIDTH = 7, 11


@pytest.fixture(scope="module")
def image() -> jax.Array:
    return jax.device_put(np.random.default_rng(0).random((HEIGHT, WIDTH, 3), np.float32))


@pytest.fixture(scope="module")
def batch() -> dict[str, jax.Array]:
    return jax.device_put(
        {
            "image": np.random.default_rng(1).random((5, HEIGHT, WIDTH, 3), np.float32),
            "label": np.array([0, 2, 1, 1, 2], np.int32),
            "index": np.array([3, 19, 4, 0, 8], np.int32),
        }
    )


def over_keys(transform, key, count, image) -> np.ndarray:
    """The image under as many keys, as one program."""

    @jax.jit
    def change(key, image) -> jax.Array:
        return jax.vmap(transform, in_axes=(0, None))(jax.random.split(key, count), image)

    return np.asarray(change(key, image))


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
    out, batch = jax.tree.map(np.asarray, (APPLY_ALL(key, batch), batch))
    assert out["image"].shape == batch["image"].shape
    assert np.all((out["image"] >= 0) & (out["image"] <= 1))
    chex.assert_trees_all_equal(out["label"], batch["label"])
    assert np.all(np.any(out["image"] != batch["image"], axis=(1, 2, 3)))


def test_an_example_does_not_depend_on_its_batch(key, batch) -> None:
    """Its size, its order and the other examples have no effect; the key of the step has."""

    def changed(key, batch) -> np.ndarray:
        return np.asarray(APPLY_ALL(key, batch)["image"])

    batch = jax.tree.map(np.asarray, batch)
    whole = changed(key, batch)
    turned = changed(key, jax.tree.map(lambda x: x[::-1], batch))
    part = changed(key, jax.tree.map(lambda x: x[1:3], batch))
    chex.assert_trees_all_close(turned[::-1], whole, atol=1e-6)
    chex.assert_trees_all_close(part, whole[1:3], atol=1e-6)
    other_step = changed(jax.random.key(1), batch)
    assert np.all(np.any(other_step != whole, axis=(1, 2, 3)))


def test_equal_images_are_transformed_differently(key, image) -> None:
    number = np.arange(5, dtype=np.int32)
    same = {"image": np.stack([image] * 5), "index": number, "label": number}
    out = np.asarray(APPLY_ALL(key, same)["image"])
    assert len(np.unique(out.reshape(5, -1), axis=0)) == 5


def test_flip_mirrors_columns_with_probability_one_half(key, image) -> None:
    @jax.jit
    def flips(key, image) -> tuple[jax.Array, jax.Array]:
        keys = jax.random.split(key, 1000)
        by_chance = jax.vmap(augment.flip, in_axes=(0, None))(keys, image)
        return augment.flip(key, image, probability=1.0), by_chance

    always, by_chance, image = map(np.asarray, (*flips(key, image), image))
    chex.assert_trees_all_equal(always, image[:, ::-1])
    flipped = np.any(by_chance != image, axis=(1, 2, 3))
    # Four standard deviations of a fair coin.
    assert abs(np.mean(flipped) - 0.5) < 4 * 0.5 / 1000**0.5


def test_crop_reaches_every_position_equally_often(key) -> None:
    """A single bright pixel shows the position of the window."""
    image = np.zeros((HEIGHT, WIDTH, 1), np.float32)
    image[3, 5] = 1.0
    windows = over_keys(functools.partial(augment.crop, padding=2), key, 5000, image)
    counts = windows[..., 0].sum(0)
    assert counts[1:6, 3:8].sum() == 5000
    # 25 positions, 200 windows each; five standard deviations.
    assert np.all(np.abs(counts[1:6, 3:8] - 200) < 5 * 200**0.5)


def test_crop_to_a_size_is_a_window_of_the_image(key, image) -> None:
    out = jax.jit(functools.partial(augment.crop, padding=0, size=(3, 5)))(key, image)
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 5, 3)).reshape(-1, 3, 5, 3)
    assert np.sum(np.all(windows == np.asarray(out), axis=(1, 2, 3))) == 1


def test_a_window_larger_than_the_image_is_refused(key, image) -> None:
    height, width = image.shape[:2]
    with pytest.raises(UserError, match=rf"window of {height + 3}x2.*{height}x{width} with 1 of"):
        augment.crop(key, image, padding=1, size=(height + 3, 2))


def test_crop_fills_the_padding(key, image) -> None:
    crop = functools.partial(augment.crop, padding=50, size=(100, 100), fill=-1)
    out = np.asarray(jax.jit(crop)(key, image))
    assert int(np.sum(out != -1)) in {n * m * 3 for n in range(8) for m in range(12)}


WARP = jax.jit(augment.warp)


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
        np.testing.assert_allclose(warped, np.stack(expected, axis=-1), rtol=1e-6, atol=1e-5)


def test_warp_turns_counterclockwise() -> None:
    image = np.random.default_rng(2).random((9, 9, 1), np.float32)
    turned = WARP(image, 90.0, 1.0)
    np.testing.assert_allclose(turned, np.rot90(image), rtol=1e-6, atol=1e-5)


def test_a_scale_of_two_enlarges() -> None:
    image = np.zeros((9, 9, 1), np.float32)
    image[3:6, 3:6] = 1.0
    assert np.sum(np.asarray(WARP(image, 0.0, 2.0)) > 0.5) > 1.9 * np.sum(image)


def test_affine_draws_angle_and_scale_from_their_ranges(key) -> None:
    """A dot 10 pixels right of the centre moves to radius 10 s and angle θ."""
    image = np.zeros((41, 41, 1), np.float32)
    image[19:22, 29:32] = 1.0
    transform = functools.partial(augment.affine, degrees=60.0, scales=(0.5, 1.5))
    out = over_keys(transform, key, 300, image)[..., 0]
    rows, columns = np.indices((41, 41))[:, None] - 20
    mass = out.sum((1, 2))
    y, x = -np.sum(out * rows, (1, 2)) / mass, np.sum(out * columns, (1, 2)) / mass
    degrees, radius = np.rad2deg(np.arctan2(y, x)), np.hypot(x, y) / 10
    assert -60.5 < degrees.min() < -55 < 55 < degrees.max() < 60.5
    assert 0.49 < radius.min() < 0.53 < 1.4 < radius.max() < 1.51


def test_a_mask_is_transformed_like_its_image(key, batch) -> None:
    """The mask is the thresholded red channel of the image, before and after."""
    image = np.round(np.asarray(batch["image"]))
    batch = batch | {"image": image, "label": image[..., 0].astype(np.int32)}
    shared = augment.flip, functools.partial(augment.crop, padding=2)
    colour = functools.partial(augment.colour_jitter, brightness=0.2)
    nearest = functools.partial(augment.affine, degrees=30.0, order=0)
    both = augment.per_example(
        augment.compose(*shared, nearest, colour), augment.compose(*shared, nearest)
    )
    out = jax.tree.map(np.asarray, jax.jit(both)(key, batch))
    assert out["label"].dtype == np.int32
    chex.assert_trees_all_equal(out["image"][..., 0] > 0.5, out["label"] == 1)
    assert np.any(out["label"] != batch["label"])


def test_a_mask_is_filled_with_the_ignored_label(key) -> None:
    mask = np.ones((4, 4, 1), np.int32)

    @jax.jit
    def cropped_and_shrunk(key, mask) -> tuple[jax.Array, jax.Array]:
        cropped = augment.crop(key, mask, padding=9, fill=255)
        return cropped, augment.warp(mask, 0.0, 0.01, order=0, fill=255)

    cropped, shrunk = map(np.asarray, cropped_and_shrunk(key, mask))
    assert set(np.unique(cropped)) <= {1, 255}
    assert np.all(shrunk[0] == 255)


def test_brightness_scales_every_pixel_equally(key, image) -> None:
    image = np.asarray(image) * np.float32(0.5)  # avoids clipping
    jitter = jax.jit(functools.partial(augment.colour_jitter, brightness=0.3))
    ratio = np.asarray(jitter(key, image)) / image
    assert 0.7 < ratio.min() < 1.3
    assert ratio.max() - ratio.min() < 1e-5
    assert abs(ratio.mean() - 1) > 1e-3


def test_contrast_keeps_the_mean_grey_value_and_saturation_all(key, image) -> None:
    luma = np.array([0.299, 0.587, 0.114], np.float32)
    image = np.float32(0.4) + np.float32(0.2) * np.asarray(image)  # avoids clipping

    @jax.jit
    def changed(key, image) -> dict[str, jax.Array]:
        return {
            "contrast": augment.colour_jitter(key, image, contrast=0.5),
            "saturation": augment.colour_jitter(key, image, saturation=0.5),
            "saturation of grey": augment.colour_jitter(key, image[..., :1], saturation=0.5),
        }

    out = jax.tree.map(np.asarray, changed(key, image))
    contrast, saturation = out["contrast"], out["saturation"]
    assert abs(np.mean(contrast @ luma) - np.mean(image @ luma)) < 1e-6
    assert abs(np.std(contrast) / np.std(image) - 1) > 1e-3
    chex.assert_trees_all_close(saturation @ luma, image @ luma, atol=1e-6)
    assert np.max(np.abs(saturation - image)) > 1e-3
    chex.assert_trees_all_close(out["saturation of grey"], image[..., :1], atol=1e-6)


def test_cutout_covers_one_square_centred_on_any_pixel(key, image) -> None:
    out = over_keys(functools.partial(augment.cutout, size=3), key, 400, image)
    covered = np.all(out == 0, axis=-1)
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
    number = np.arange(4000, dtype=np.int32)
    image = np.random.default_rng(0).random((4000, 2, 3, 1), np.float32)
    image[:, 0, 0, 0] = number % 2
    batch = {"image": image, "label": number % 3, "index": number}
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
    logits = np.random.default_rng(2).normal(size=(5, 3)).astype(np.float32)

    @jax.jit
    def mixed_and_losses(key, batch, logits) -> tuple:
        out = augment.mixup(key, batch, num_classes=3, alpha=0.0)
        soft = losses.soft_cross_entropy(logits, out["label"])
        return out["image"], soft, losses.softmax_cross_entropy(logits, batch["label"])

    images, soft, hard = mixed_and_losses(key, batch, logits)
    chex.assert_trees_all_equal(images, batch["image"])
    chex.assert_trees_all_close(soft, hard, rtol=1e-6)


def test_the_figure_has_a_row_for_each_change(key) -> None:
    images = np.zeros((2, 3, 5, 1), np.float32)
    changes = {"flip": augment.per_example(augment.flip)}
    figure = analysis.draw_augmentations(key, images, changes)
    assert len(figure.axes) == 2 * 2
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["original", "flip"]


def test_a_mask_of_another_size_than_its_image_is_refused(key, batch):
    change = augment.per_example(augment.flip, augment.flip)
    masks = np.zeros((5, HEIGHT, WIDTH - 1), np.int32)
    with pytest.raises(UserError, match="one label per pixel is needed"):
        jax.eval_shape(change, key, batch | {"label": masks})
