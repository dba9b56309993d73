"""Convolution of a batch, arranged for the speed of XLA on the current device."""

import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from dlcourse.models.vision.shapes import check_filters, check_images, output_size

Border = tuple[tuple[int, int], ...]  # pixels of padding before and after each axis

AT_ONCE = 2048  # filter positions in one convolution of the weights' gradient, on a CPU
FEW = 96  # channels times filters up to which `by_columns` is faster; beyond, zeros dominate
COLUMNS = 5  # the maximum of output columns per matrix product


def convolve_batch(
    x: Float[Array | np.ndarray, "batch height width channels"],
    kernel: Float[Array | np.ndarray, "f g channels filters"],
    stride: int,
    padding: int | Literal["SAME"],
) -> Float[Array, "batch rows columns filters"]:
    """`convolve` for each image of a batch, with zero padding.

    On accelerators this is `lax.conv_general_dilated`. On a CPU it computes the same sum in a
    layout for which XLA uses its matrix product:

    - The gradients keep the channels last (`_on_cpu`).
    - With few channels the matrix would be too narrow, so one product gives several neighbouring
      columns of the output (`by_columns`). It takes half the time, although part of the matrix is
      zero.

    `python -m dlcourse.benchmark.convolution` measures the speed-up.

    Raises:
        UserError: filters and images differ in the number of channels, an array has the wrong
            number of axes, or the window does not fit (see `output_size`).
    """
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    check_images(x)
    check_filters(x, kernel)
    *window, channels, filters = kernel.shape
    for size, f in zip(x.shape[1:3], window, strict=True):
        # With "SAME" a filter has as many positions as a filter of a single pixel.
        output_size(size, *((1, stride) if padding == "SAME" else (f, stride, padding)))
    if padding == "SAME":
        border = tuple(lax.padtype_to_pads(x.shape[1:3], window, (stride, stride), "SAME"))
    else:
        border = ((padding, padding), (padding, padding))
    if jax.default_backend() != "cpu":
        return _native(x, kernel, (stride, stride), border)
    if channels * filters <= FEW and stride == 1:
        return by_columns(x, kernel, border)
    return _on_cpu(x, kernel, (stride, stride), border)


@functools.partial(jax.jit, static_argnums=2)
def by_columns(
    x: Float[Array, "batch height width channels"],
    kernel: Float[Array, "f g channels filters"],
    border: Border,
) -> Float[Array, "batch rows columns filters"]:
    """`convolve_batch` at stride 1 as one matrix product, for n output columns at a time.

        [y_{i,j}, ..., y_{i,j+n-1}] = sum_m x_{i+m, j..j+g+n-2} [w_m shifted by 0, ..., by n-1]

    The matrix holds n copies of the filter, each shifted by one column, in a frame of g + n - 1
    columns. Frames of the image start n columns apart. If n does not divide the number of columns,
    the image is padded with zeros and the surplus columns of the output are dropped.
    """
    f, g, channels, filters = kernel.shape
    (above, below), (left, right) = border
    rows = x.shape[1] + above + below - f + 1
    columns = x.shape[2] + left + right - g + 1
    # Minimise the number of frames plus the number of surplus columns.
    n = min(range(COLUMNS, 0, -1), key=lambda n: -(-columns // n) + -columns % n)
    count, frame = -(-columns // n), g + n - 1
    # Cut into blocks of n columns, a frame is a block and its right neighbours, cropped. This needs
    # one slice for each block of a frame. One slice for each frame would take XLA seconds to
    # compile on wide images.
    reach = -(-frame // n)
    right += (count + reach - 1) * n - (columns + g - 1)
    x = jnp.pad(x, ((0, 0), (above, below), (left, right), (0, 0)))
    blocks = x.reshape(*x.shape[:2], -1, n * channels)
    frames = jnp.concatenate([blocks[:, :, i : i + count] for i in range(reach)], axis=-1)
    frames = frames[..., : frame * channels]
    patches = jnp.concatenate([frames[:, m : m + rows] for m in range(f)], axis=-1)
    shifted = [jnp.pad(kernel, [(0, 0), (i, n - 1 - i), (0, 0), (0, 0)]) for i in range(n)]
    matrix = jnp.concatenate(shifted, axis=-1).reshape(f * frame * channels, n * filters)
    return (patches @ matrix).reshape(x.shape[0], rows, count * n, filters)[:, :, :columns]


def _native(x: Array, kernel: Array, strides: tuple[int, int], border: Border) -> Array:
    return lax.conv_general_dilated(
        x, kernel, strides, border, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _on_cpu(x: Array, kernel: Array, strides: tuple[int, int], border: Border) -> Array:
    """`_native` with a backward pass that keeps the channels last.

    XLA's CPU compiler uses a matrix product only for convolutions in the layout of `_native`.
    Outside loops it converts other layouts; inside a loop, where training runs, it compiles them to
    nested scalar loops, which are ten to eighty times slower. The gradients that JAX derives have
    such layouts: in the weights' gradient the batch takes the place of the channels, in the images'
    gradient the filters are flipped. The tangents below are written so that their transposes, which
    form the backward pass, have the layout of `_native`.
    """
    return _native(x, kernel, strides, border)


def _tangent_of_images(dx: Array, kernel: Array, strides: tuple[int, int], border: Border) -> Array:
    return lax.conv_general_dilated(
        dx, kernel.swapaxes(2, 3), strides, border, dimension_numbers=("NHWC", "HWOI", "NHWC")
    )


def _tangent_of_kernel(
    x: Array, dkernel: Array, strides: tuple[int, int], border: Border, places: int
) -> Array:
    if places > AT_ONCE:
        # XLA does not use a matrix product for a padded convolution with such a large window.
        x, border = jnp.pad(x, ((0, 0), *border, (0, 0))), ((0, 0), (0, 0))
    conv = functools.partial(
        lax.conv_general_dilated,
        rhs=dkernel.transpose(2, 0, 1, 3),
        window_strides=strides,
        padding=border,
        dimension_numbers=("CHWN", "IHWO", "HWNC"),
    )
    # The gradient sums over all positions in all images. XLA's time grows faster than their number:
    # 8,192 take four times as long as 4,096, hence a few images at a time. If several devices share
    # the batch, all images at once: otherwise every iteration would need an all-reduce.
    batch, most = x.shape[0], max(1, AT_ONCE // places)
    if jax.device_count() > 1:
        most = batch
    images = max(n for n in range(1, most + 1) if batch % n == 0)
    parts = x.reshape(-1, images, *x.shape[1:]).transpose(0, 4, 2, 3, 1)
    out = lax.map(conv, parts).transpose(0, 3, 1, 2, 4)
    return out.reshape(batch, *out.shape[2:])


def _jvp(strides: tuple[int, int], border: Border, primals: tuple, tangents: tuple) -> tuple:
    (x, kernel), (dx, dkernel) = primals, tangents
    out = _on_cpu(x, kernel, strides, border)
    if isinstance(dkernel, SymbolicZero):
        return out, _tangent_of_images(dx, kernel, strides, border)
    places = out.shape[1] * out.shape[2]
    tangent = _tangent_of_kernel(x, dkernel, strides, border, places)
    if not isinstance(dx, SymbolicZero):
        tangent += _tangent_of_images(dx, kernel, strides, border)
    return out, tangent


_on_cpu.defjvp(_jvp, symbolic_zeros=True)
