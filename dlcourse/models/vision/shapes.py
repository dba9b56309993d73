"""What images a convolution or a pooling can read, and of what size it makes them."""

import numpy as np
from jaxtyping import Array

from dlcourse.errors import UserError


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """How many places a window has along one axis: `floor((n + 2p - f) / s) + 1` (deck 001).

    Deck 003 writes it without the floor, for the sizes where the division comes out even.

    Args:
        size: n, the length of the axis.
        kernel: f, the length of the window.
        stride: s, the step of the window.
        padding: p, how many values are put before and after the axis.

    Raises:
        UserError: where the window does not fit even once, or is no window.
    """
    if min(kernel, stride) < 1 or padding < 0:
        raise UserError(
            "a window has a size and a stride of at least 1 and a padding of at least 0, "
            f"got size {kernel}, stride {stride} and padding {padding}"
        )
    if kernel > size + 2 * padding:
        raise UserError(
            f"a window of {kernel} does not fit {size} pixels with {padding} of padding: "
            "the image is too small for this network"
        )
    return (size + 2 * padding - kernel) // stride + 1


def check_axes(name: str, x: Array | np.ndarray, axes: str) -> None:
    """That an array has as many axes as it should.

    Args:
        name: what the array is called in the message.
        x: the array.
        axes: what its axes are called, such as "height width".

    Raises:
        UserError: where it has more or fewer.
    """
    names = axes.split()
    if x.ndim != len(names):
        raise UserError(f"{name} should be [{', '.join(names)}], got an array of shape {x.shape}")


def check_images(x: Array | np.ndarray) -> None:
    """That an array is a batch of images.

    Raises:
        UserError: where it has more or fewer axes.
    """
    check_axes("images", x, "batch height width channels")


def check_filters(x: Array | np.ndarray, kernel: Array | np.ndarray) -> None:
    """That filters read as many channels as an image or a batch has.

    Raises:
        UserError: where they read more or fewer, or are no filters.
    """
    check_axes("a kernel", kernel, "height width channels filters")
    if x.shape[-1] != kernel.shape[2]:
        raise UserError(
            f"a kernel of shape {kernel.shape} reads {kernel.shape[2]} channels, "
            f"got {x.shape[-1]} in an array of shape {x.shape}"
        )
