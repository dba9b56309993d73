"""A batch of convolutions, as fast as XLA goes on the device at hand."""

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

AT_ONCE = 2048  # places of the filter in one convolution of the weights' gradient, on a CPU
FEW = 96  # channels times filters; with more, a matrix of neighbouring columns is mostly zeros
COLUMNS = 5  # at most so many neighbouring columns come out of one product


def convolve_batch(
    x: Float[Array | np.ndarray, "batch height width channels"],
    kernel: Float[Array | np.ndarray, "f g channels filters"],
    stride: int,
    padding: int | Literal["SAME"],
) -> Float[Array, "batch rows columns filters"]:
    """`convolve` for each image of a batch, with zeros around it.

    On accelerators this is `lax.conv_general_dilated`. On a CPU it is the same sum, laid out so
    that XLA finds its matrix product:

    - The gradients keep their channels last (`_on_cpu`).
    - A few channels make a matrix too narrow for the processor: several neighbouring columns come
      out of one product (`by_columns`). Some of the work is on zeros, and still it takes half the
      time.

    `python -m dlcourse.benchmark.convolution` measures what this is worth.

    Raises:
        UserError: where the filters read another number of channels than the images have, where
            one of the two has other axes than these, and for what `output_size` refuses.
    """
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    check_images(x)
    check_filters(x, kernel)
    *window, channels, filters = kernel.shape
    for size, f in zip(x.shape[1:3], window, strict=True):
        # "SAME" gives a filter as many places as one of a single pixel would have.
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
    """`convolve_batch` at stride 1 as one matrix product, n columns of the output at a time.

        [y_{i,j}, ..., y_{i,j+n-1}] = sum_m x_{i+m, j..j+g+n-2} [w_m shifted by 0, ..., by n-1]

    The filter is laid down n times, one column apart, in a frame of g + n - 1 columns, and the
    image is cut into frames that lie n columns apart. Where n does not divide the number of
    columns, the image ends in zeros, and what the last frame makes of them is dropped.
    """
    f, g, channels, filters = kernel.shape
    (above, below), (left, right) = border
    rows = x.shape[1] + above + below - f + 1
    columns = x.shape[2] + left + right - g + 1
    # The fewest frames, where a column that is dropped counts as another one.
    n = min(range(COLUMNS, 0, -1), key=lambda n: -(-columns // n) + -columns % n)
    count, frame = -(-columns // n), g + n - 1
    # In blocks of n columns a frame is a block and its right neighbours, less what is too much of
    # the last: that takes as many slices as a frame has blocks, a slice a frame would take XLA
    # seconds to compile on wide images.
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
    """`_native`, with a backward pass in which channels come last.

    XLA's CPU compiler makes a matrix product only of convolutions in the layout of `_native`.
    Outside loops it brings others to that layout; inside a loop, where training runs, it compiles
    them to plain nested loops, ten to eighty times slower. Of such kind are the gradients that JAX
    derives: in the weights' the batch stands for the channels, in the images' the filters are
    turned over. Hence the tangents below. They are in odd layouts, whose transposes, which make
    the backward pass, are in the right one.
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
        # With a padding, a convolution of a window so large is no matrix product to XLA.
        x, border = jnp.pad(x, ((0, 0), *border, (0, 0))), ((0, 0), (0, 0))
    conv = functools.partial(
        lax.conv_general_dilated,
        rhs=dkernel.transpose(2, 0, 1, 3),
        window_strides=strides,
        padding=border,
        dimension_numbers=("CHWN", "IHWO", "HWNC"),
    )
    # The gradient sums over all places of all images. XLA's time grows faster than their number:
    # 8,192 take four times as long as 4,096. So a few images at a time; but where several devices
    # share the batch all of it, or they would add up their sums at every turn.
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
