"""Augmentation: random transforms that preserve the class, as part of the compiled step.

A transform is a pure function `(key, image) -> image` of one example. `compose` chains several and
`per_example` lifts one to a batch. The result depends only on the example and its key, and not on
the rest of the batch (except in `mixup`). The key depends on the step and on the number of the
example, so any augmented batch can be computed again, on any number of devices.

The same key transforms a mask like its image: `flip(key, mask)` matches `flip(key, image)`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, Shaped

from dlcourse import streams
from dlcourse.errors import UserError

Image = Shaped[Array, "height width channels"]
Transform = Callable[[Any, Any], Any]

# The weights of red, green and blue in perceived brightness (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)


def compose(*transforms: Transform) -> Transform:
    """Applies transforms in order; the k-th gets the key `fold_in(key, k)`.

    The key depends on the position in the chain. A mask needs a shorter chain than its image; put
    the common transforms first: `compose(flip, crop, colour_jitter)` and `compose(flip, crop)`.
    """

    def transform(key: Key[Array, ""], image: Image) -> Image:
        for place, each in enumerate(transforms):
            image = each(jax.random.fold_in(key, place), image)
        return image

    return transform


def per_example(
    image: Transform, mask: Transform | None = None
) -> Callable[[Key[Array, ""], dict[str, Any]], dict[str, Any]]:
    """Lifts a transform to `(key, batch) -> batch`, with `fold_in(key, index)` for each example.

    Args:
        image: transform of each image in `batch["image"]`, `[batch, height, width, channels]`.
        mask: transform, with the same key, of each mask in `batch["label"]`, `[batch, height,
            width]`, in segmentation. Default: labels stay unchanged.

    Raises:
        UserError: raised by the returned function if masks and images differ in size.
    """

    def augment(key: Key[Array, ""], batch: dict[str, Any]) -> dict[str, Any]:
        keys = streams.for_each(key, batch["index"])
        changed = {"image": jax.vmap(image)(keys, batch["image"])}
        if mask is not None:
            if batch["label"].shape != batch["image"].shape[:3]:
                raise UserError(
                    f"Masks have shape {batch['label'].shape} and their images "
                    f"{batch['image'].shape}; one label per pixel is needed."
                )
            changed["label"] = jax.vmap(mask)(keys, batch["label"][..., None])[..., 0]
        return batch | changed

    return augment


def flip(key: Key[Array, ""], image: Image, *, probability: float = 0.5) -> Image:
    """Mirrors left and right with the given probability."""
    return jnp.where(jax.random.bernoulli(key, probability), image[:, ::-1], image)


def crop(
    key: Key[Array, ""],
    image: Image,
    *,
    padding: int = 4,
    size: tuple[int, int] | None = None,
    fill: float | int = 0,
) -> Shaped[Array, "new_height new_width channels"]:
    """Pads all four sides, then cuts out a window at a uniformly random position.

    The default window has the size of the image: the image is shifted by up to `padding` pixels
    (He et al., 2016, section 4.2, pad CIFAR's 32x32 by 4).

    Args:
        key: of this example.
        image: `[height, width, channels]`.
        padding: pixels added on each side.
        size: height and width of the window. Default: those of the image.
        fill: value of the padding.

    Raises:
        UserError: the window is larger than the padded image.
    """
    height, width = size or image.shape[:2]
    if height > image.shape[0] + 2 * padding or width > image.shape[1] + 2 * padding:
        raise UserError(
            f"A window of {height}x{width} pixels cannot be cut from an image of "
            f"{image.shape[0]}x{image.shape[1]}"
            + (f" with {padding} of padding." if padding else ".")
        )
    padded = jnp.pad(image, ((padding, padding), (padding, padding), (0, 0)), constant_values=fill)
    room = jnp.array([padded.shape[0] - height, padded.shape[1] - width])
    top, left = jax.random.randint(key, (2,), 0, room + 1)
    return jax.lax.dynamic_slice(padded, (top, left, 0), (height, width, image.shape[2]))


def affine(
    key: Key[Array, ""],
    image: Image,
    *,
    degrees: float = 0.0,
    scales: tuple[float, float] = (1.0, 1.0),
    order: int = 1,
    fill: float | int = 0,
) -> Image:
    """Rotation by θ and scaling by s in one interpolation (`warp`).

        θ ~ U(-degrees, degrees),    log s ~ U(log scales[0], log scales[1])

    Args:
        key: of this example.
        image: `[height, width, channels]`.
        degrees: maximum angle.
        scales: minimum and maximum of s.
        order: of the interpolation, as in `warp`.
        fill: value outside the image.
    """
    angle_key, scale_key = jax.random.split(key)
    angle = jax.random.uniform(angle_key, minval=-degrees, maxval=degrees)
    low, high = jnp.log(jnp.asarray(scales, jnp.float32))
    scale = jnp.exp(jax.random.uniform(scale_key, minval=low, maxval=high))
    return warp(image, angle, scale, order=order, fill=fill)


def warp(
    image: Image,
    degrees: float | Float[Array, ""],
    scale: float | Float[Array, ""],
    *,
    order: int = 1,
    fill: float | int = 0,
) -> Image:
    """Rotates an image counterclockwise about its centre c and enlarges it.

        new(c + u) = image(c + R(-degrees) u / scale)

    Args:
        image: `[height, width, channels]`.
        degrees: angle of rotation.
        scale: factor of enlargement.
        order: 1 for linear interpolation; 0 for the nearest pixel, which masks need.
        fill: value outside the image.
    """
    height, width, _ = image.shape
    centre = jnp.array([(height - 1) / 2, (width - 1) / 2])
    rows, columns = jnp.indices((height, width)) - centre[:, None, None]
    angle = jnp.deg2rad(degrees)
    cos, sin = jnp.cos(angle) / scale, jnp.sin(angle) / scale
    # The row axis points down, so the signs of the sines in R(-θ) are reversed.
    source = [centre[0] + cos * rows + sin * columns, centre[1] - sin * rows + cos * columns]

    def resample(channel: Shaped[Array, "height width"]) -> Shaped[Array, "height width"]:
        return jax.scipy.ndimage.map_coordinates(channel, source, order, cval=fill)

    return jax.vmap(resample, in_axes=-1, out_axes=-1)(image)


def colour_jitter(
    key: Key[Array, ""],
    image: Float[Array, "height width channels"],
    *,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
) -> Float[Array, "height width channels"]:
    """Changes brightness, contrast and saturation, in this order, by factors f ~ U(1 ± strength).

        brightness f x,    contrast f x + (1 - f) mean(grey(x)),    saturation f x + (1 - f) grey(x)

    Values are clipped to [0, 1] after each. The grey value is the luma for three channels and the
    mean over channels otherwise, so saturation has no effect on an image with one channel.

    Args:
        key: of this example.
        image: values in [0, 1].
        brightness, contrast, saturation: strengths, from 0 (no change) to 1.
    """
    strengths = jnp.array([brightness, contrast, saturation])
    factors = 1 + strengths * jax.random.uniform(key, (3,), minval=-1.0)

    def blend(factor: Array, image: Array, other: Array) -> Array:
        return jnp.clip(factor * image + (1 - factor) * other, 0.0, 1.0)

    image = blend(factors[0], image, jnp.zeros_like(image))
    image = blend(factors[1], image, jnp.full_like(image, jnp.mean(_grey(image))))
    return blend(factors[2], image, jnp.broadcast_to(_grey(image), image.shape))


def _grey(image: Float[Array, "height width channels"]) -> Float[Array, "height width 1"]:
    channels = image.shape[-1]
    weights = jnp.array(LUMA) if channels == 3 else jnp.full((channels,), 1 / channels)
    return jnp.sum(image * weights.astype(image.dtype).reshape(1, 1, -1), axis=-1, keepdims=True)


def cutout(key: Key[Array, ""], image: Image, *, size: int, fill: float | int = 0) -> Image:
    """Covers a square of `size` x `size` pixels with `fill` (DeVries and Taylor, 2017).

    The centre is uniform over the pixels, so the square may be cut off at the edge, as in the
    paper.
    """
    height, width, _ = image.shape
    row, column = jax.random.randint(key, (2,), 0, jnp.array([height, width])) - size // 2
    inside_rows = (jnp.arange(height) >= row) & (jnp.arange(height) < row + size)
    inside_columns = (jnp.arange(width) >= column) & (jnp.arange(width) < column + size)
    covered = inside_rows[:, None] & inside_columns[None, :]
    return jnp.where(covered[..., None], jnp.asarray(fill, image.dtype), image)


def mixup(
    key: Key[Array, ""], batch: dict[str, Any], *, num_classes: int, alpha: float = 0.2
) -> dict[str, Any]:
    """Mixes each example and its label with another of the batch (Zhang et al., 2018).

        x = λ x_i + (1 - λ) x_j,    y = λ y_i + (1 - λ) y_j,    λ ~ Beta(alpha, alpha)

    λ is drawn for each example; the authors' code draws one for the batch. The partner j is the
    preceding example: batches are shuffled, so a fixed pairing is a random one.

    Args:
        key: of the step.
        batch: `image` `[batch, ...]`, `index` `[batch]`, and `label`: integers `[batch]` or soft
            labels `[batch, num_classes]`.
        num_classes: number of classes.
        alpha: of the Beta distribution; 0 leaves the images unchanged.

    Returns:
        The batch with soft labels `[batch, num_classes]`, for `losses.soft_cross_entropy`.
    """
    images, labels = batch["image"], batch["label"]
    if labels.ndim == 1:
        labels = jax.nn.one_hot(labels, num_classes)
    if alpha > 0:
        keys = streams.for_each(key, batch["index"])
        share = jax.vmap(lambda each: jax.random.beta(each, alpha, alpha))(keys)
        images, labels = _blend(share, images), _blend(share, labels)
    return batch | {"image": images, "label": labels}


def _blend(
    share: Float[Array, " batch"], values: Float[Array, "batch *axes"]
) -> Float[Array, "batch *axes"]:
    share = share.reshape(share.shape + (1,) * (values.ndim - 1))
    return share * values + (1 - share) * jnp.roll(values, 1, axis=0)
