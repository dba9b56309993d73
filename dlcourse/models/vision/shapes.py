"""Checks of the inputs of convolution and pooling, and the size of their outputs."""

import numpy as np
from jaxtyping import Array

from dlcourse.errors import UserError


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """The number of positions of a window along one axis: `floor((n + 2p - f) / s) + 1` (deck 001).

    Deck 003 writes it without the floor, for sizes where s divides the numerator.

    Args:
        size: n, the length of the axis.
        kernel: f, the length of the window.
        stride: s, the step of the window.
        padding: p, the number of values added at each end of the axis.

    Raises:
        UserError: the window is longer than the padded axis, the size or the stride is below 1, or
            the padding is negative.
    """
    if min(kernel, stride) < 1 or padding < 0:
        raise UserError(
            "a window needs a size and a stride of at least 1 and a padding of at least 0, "
            f"got size {kernel}, stride {stride} and padding {padding}"
        )
    if kernel > size + 2 * padding:
        raise UserError(
            f"a window of {kernel} does not fit {size} pixels with {padding} of padding: "
            "the image is too small for this network"
        )
    return (size + 2 * padding - kernel) // stride + 1


def check_axes(name: str, x: Array | np.ndarray, axes: str) -> None:
    """Checks the number of axes of an array.

    Args:
        name: the name of the array in the message.
        x: the array.
        axes: the names of the expected axes, such as "height width".

    Raises:
        UserError: the number differs.
    """
    names = axes.split()
    if x.ndim != len(names):
        raise UserError(f"{name} should be [{', '.join(names)}], got an array of shape {x.shape}")


def check_images(x: Array | np.ndarray) -> None:
    """Checks that an array has the axes of a batch of images.

    Raises:
        UserError: the number of axes is not 4.
    """
    check_axes("images", x, "batch height width channels")


def check_filters(x: Array | np.ndarray, kernel: Array | np.ndarray) -> None:
    """Checks that filters have as many input channels as an image or a batch.

    Raises:
        UserError: the numbers differ, or the kernel does not have 4 axes.
    """
    check_axes("a kernel", kernel, "height width channels filters")
    if x.shape[-1] != kernel.shape[2]:
        raise UserError(
            f"a kernel of shape {kernel.shape} reads {kernel.shape[2]} channels, "
            f"got {x.shape[-1]} in an array of shape {x.shape}"
        )
