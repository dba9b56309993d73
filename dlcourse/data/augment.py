"""Augmentation: random changes that leave an image's class as it is, inside the compiled step.

A transform is a pure function `(key, image) -> image` of one example. `compose` chains several and
`per_example` lifts one to a batch. What happens to an example depends on its key and on nothing
else, not on the batch around it (`mixup` alone looks at a neighbour), and its key depends on the
step and the example's number: any augmented batch can be looked at again, on any number of devices.

The same key moves a mask as it moves its image: `flip(key, mask)` goes with `flip(key, image)`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, Shaped

from dlcourse.errors import UserError

Image = Shaped[Array, "height width channels"]
Transform = Callable[[Any, Any], Any]

# The weights of red, green and blue in the brightness that the eye sees (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)


def compose(*transforms: Transform) -> Transform:
    """One transform after another, each with a key of its own: the k-th gets `fold_in(key, k)`.

    The key goes by place, so a mask's shorter chain moves as its image's does if what the two
    share stands first: `compose(flip, crop, colour_jitter)` and `compose(flip, crop)`.
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

    Arguments:
        image: what happens to each of `batch["image"]`, `[batch, height, width, channels]`.
        mask: what happens, under the same key, to each of `batch["label"]`,
            `[batch, height, width]`, in segmentation.

    The result raises a `UserError` where masks are to be changed that are not of their images'
    size.
    """

    def augment(key: Key[Array, ""], batch: dict[str, Any]) -> dict[str, Any]:
        keys = _keys(key, batch["index"])
        changed = {"image": jax.vmap(image)(keys, batch["image"])}
        if mask is not None:
            if batch["label"].shape != batch["image"].shape[:3]:
                raise UserError(
                    f"Masks have the shape {batch['label'].shape} and their images "
                    f"{batch['image'].shape}; one label a pixel is needed."
                )
            changed["label"] = jax.vmap(mask)(keys, batch["label"][..., None])[..., 0]
        return batch | changed

    return augment


def flip(key: Key[Array, ""], image: Image, *, probability: float = 0.5) -> Image:
    """Mirrors left and right, with this probability."""
    return jnp.where(jax.random.bernoulli(key, probability), image[:, ::-1], image)


def crop(
    key: Key[Array, ""],
    image: Image,
    *,
    padding: int = 4,
    size: tuple[int, int] | None = None,
    fill: float | int = 0,
) -> Shaped[Array, "new_height new_width channels"]:
    """Pads all four sides with `fill`, then cuts a window out, every place equally likely.

    With the window as large as the image, which is the default, this shifts it by up to `padding`
    pixels either way (He et al., 2016, section 4.2, pad CIFAR's 32x32 by 4).

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
    """Rotation and scaling in one interpolation: `warp` by θ and s drawn for this example.

    θ ~ U(-degrees, degrees),    log s ~ U(log scales[0], log scales[1])
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
    """Turns an image counterclockwise about its centre c and enlarges it.

        new(c + u) = image(c + R(-degrees) u / scale)

    Arguments:
        order: 1 interpolates linearly between pixels; 0 takes the nearest, as a mask needs.
        fill: the value outside the image.
    """
    height, width, _ = image.shape
    centre = jnp.array([(height - 1) / 2, (width - 1) / 2])
    rows, columns = jnp.indices((height, width)) - centre[:, None, None]
    angle = jnp.deg2rad(degrees)
    cos, sin = jnp.cos(angle) / scale, jnp.sin(angle) / scale
    # Rows run downwards: in their sense this R(-θ) has its signs the other way round.
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

    and clips to [0, 1] after each. The grey of a picture in three channels is its luma, of any
    other the mean over channels, so that saturation does nothing to a picture in one channel.
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
    """Covers a square of `size` pixels with `fill` (DeVries and Taylor, 2017).

    Its centre is any pixel of the image, so part of it may fall outside, as in the paper.
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
    """Blends each example with its neighbour in the batch, labels too (Zhang et al., 2018).

        x = λ x_i + (1 - λ) x_j,    y = λ y_i + (1 - λ) y_j,    λ ~ Beta(alpha, alpha)

    λ is drawn for each example, where the paper's code draws one for the batch. The neighbour j is
    the example before; batches come shuffled, so any fixed pairing is as random as another.

    Arguments:
        batch: with `image`, `label` (integers, or soft labels of an earlier mixup) and `index`.
        num_classes: how many entries a soft label has.
        alpha: 0 leaves the images as they are.

    Returns:
        The batch with soft labels `[batch, num_classes]`, for `losses.soft_cross_entropy`.
    """
    images, labels = batch["image"], batch["label"]
    if labels.ndim == 1:
        labels = jax.nn.one_hot(labels, num_classes)
    if alpha > 0:
        keys = _keys(key, batch["index"])
        share = jax.vmap(lambda each: jax.random.beta(each, alpha, alpha))(keys)
        images, labels = _blend(share, images), _blend(share, labels)
    return batch | {"image": images, "label": labels}


def _blend(
    share: Float[Array, " batch"], values: Float[Array, "batch *axes"]
) -> Float[Array, "batch *axes"]:
    share = share.reshape(share.shape + (1,) * (values.ndim - 1))
    return share * values + (1 - share) * jnp.roll(values, 1, axis=0)


def _keys(key: Key[Array, ""], index: Int[Array, " batch"]) -> Key[Array, " batch"]:
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, index)
