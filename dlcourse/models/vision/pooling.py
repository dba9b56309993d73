"""Pooling: maximum, average, and the invertible squeeze."""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from dlcourse.errors import UserError
from dlcourse.models.vision.shapes import check_images, output_size

Images = Float[Array, "batch height width channels"]
Pooled = Float[Array, "batch rows columns channels"]


def max_pool(x: Images, window: int = 2, stride: int | None = None, padding: int = 0) -> Pooled:
    """The maximum of each window, for each channel (decks 001 and 003).

        y_ij = max_{0 <= m, n < f} x_{si+m, sj+n}

    The gradient goes to the position of the maximum; to the first in row-major order if values
    tie.

    Args:
        x: the images.
        window: f, the side of the window.
        stride: s, the step of the window; None for f, so that windows do not overlap.
        padding: the number of pixels of minus infinity added on every side.

    Raises:
        UserError: the window is larger than the padded image, `x` is not a batch of images, or the
            window is invalid (see `output_size`).
    """
    stride = _stride(x, window, stride, padding)
    border = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    x = jnp.pad(x, border, constant_values=-jnp.inf)
    return functools.reduce(_maximum, _offsets(x, window, stride))


def average_pool(x: Images, window: int = 2, stride: int | None = None) -> Pooled:
    """The mean of each window, for each channel (deck 003).

        y_ij = 1/f^2 sum_{0 <= m, n < f} x_{si+m, sj+n}

    Args:
        x: the images.
        window: f, the side of the window.
        stride: s, the step of the window; None for f, so that windows do not overlap.

    Raises:
        UserError: the window is larger than the image, `x` is not a batch of images, or the window
            is invalid (see `output_size`).
    """
    stride = _stride(x, window, stride)
    return nn.avg_pool(x, (window,) * 2, (stride,) * 2)


def squeeze(
    x: Shaped[Array, "batch height width channels"], factor: int = 2
) -> Shaped[Array, "batch rows columns squeezed"]:
    """Invertible pooling: each f x f square becomes one pixel with f^2 times the channels.

        y[i, j, c f^2 + m f + n] = x[f i + m, f j + n, c]

    `unsqueeze` is the inverse, and the log-determinant is 0. Source: deck 003; Dinh,
    Sohl-Dickstein and Bengio 2017, section 3.6. PyTorch calls it `pixel_unshuffle`.

    Args:
        x: the images.
        factor: f.

    Raises:
        UserError: `factor` is below 1 or does not divide height and width, or `x` is not a batch of
            images.
    """
    _check_factor(x, factor)
    batch, height, width, channels = x.shape
    if height % factor or width % factor:
        raise UserError(
            f"squeeze by {factor} needs a height and width divisible by {factor}, "
            f"got images of {height}x{width}"
        )
    x = x.reshape(batch, height // factor, factor, width // factor, factor, channels)
    return x.transpose(0, 1, 3, 5, 2, 4).reshape(
        batch, height // factor, width // factor, channels * factor**2
    )


def unsqueeze(
    x: Shaped[Array, "batch rows columns squeezed"], factor: int = 2
) -> Shaped[Array, "batch height width channels"]:
    """The exact inverse of `squeeze`: `unsqueeze(squeeze(x)) == x`.

    Raises:
        UserError: `factor` is below 1, `factor ** 2` does not divide the channels, or `x` is not a
            batch of images.
    """
    _check_factor(x, factor)
    batch, rows, columns, squeezed = x.shape
    if squeezed % factor**2:
        raise UserError(
            f"unsqueeze by {factor} needs channels divisible by {factor**2}, got {squeezed}"
        )
    x = x.reshape(batch, rows, columns, squeezed // factor**2, factor, factor)
    return x.transpose(0, 1, 4, 2, 5, 3).reshape(batch, rows * factor, columns * factor, -1)


def _stride(x: Float[Array, "..."], window: int, stride: int | None, padding: int = 0) -> int:
    """Checks that the window fits and returns its step, by default the side of the window."""
    check_images(x)
    step = window if stride is None else stride
    for size in x.shape[1:3]:
        output_size(size, window, step, padding)
    return step


def _check_factor(x: Shaped[Array, "..."], factor: int) -> None:
    check_images(x)
    if factor < 1:
        raise UserError(f"squeeze needs a factor of at least 1, got {factor}")


def _offsets(x: Array, window: int, stride: int) -> list[Array]:
    """For each position in a window, in row-major order, the values of all windows there."""
    rows, columns = (stride * (output_size(n, window, stride) - 1) + 1 for n in x.shape[1:3])
    return [
        x[:, m : m + rows : stride, n : n + columns : stride]
        for m in range(window)
        for n in range(window)
    ]


def _maximum(best: Array, value: Array) -> Array:
    # Not `reduce_window` as in `nn.max_pool`: its gradient, a select-and-scatter, takes XLA six
    # times as long on a CPU. NaN propagates, as in `jnp.maximum`; ties keep the first value.
    return jnp.where((value > best) | jnp.isnan(value), value, best)
