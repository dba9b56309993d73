"""A batch of convolutions, as fast as XLA goes on the device at hand."""

import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

Border = tuple[tuple[int, int], ...]  # pixels of padding before and after each axis

AT_ONCE = 64  # examples in one convolution of the weights' gradient, on a CPU


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
    - A few channels make a matrix too narrow for the processor. Then each filter is laid down
      twice, one column apart, in a frame one column wider that moves by two: two neighbouring
      columns come out of one product. Some of the work is on zeros, and still it takes half the
      time.

    `python -m dlcourse.benchmark_convolution` measures what this is worth.
    """
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    *window, channels, filters = kernel.shape
    if padding == "SAME":
        border = tuple(lax.padtype_to_pads(x.shape[1:3], window, (stride, stride), "SAME"))
    else:
        border = ((padding, padding), (padding, padding))
    if jax.default_backend() != "cpu":
        return _native(x, kernel, (stride, stride), border)
    columns = x.shape[2] + sum(border[1]) - window[1] + 1
    few = channels * filters <= 96 and window[1] > 1  # Beyond, the zeros cost more than they save.
    if not few or stride > 1 or columns % 2:
        return _on_cpu(x, kernel, (stride, stride), border)
    left = jnp.pad(kernel, [(0, 0), (0, 1), (0, 0), (0, 0)])
    right = jnp.pad(kernel, [(0, 0), (1, 0), (0, 0), (0, 0)])
    pairs = _on_cpu(x, jnp.concatenate([left, right], axis=-1), (1, 2), border)
    return pairs.reshape(*pairs.shape[:2], columns, filters)


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


def _tangent_of_kernel(x: Array, dkernel: Array, strides: tuple[int, int], border: Border) -> Array:
    conv = functools.partial(
        lax.conv_general_dilated,
        rhs=dkernel.transpose(2, 0, 1, 3),
        window_strides=strides,
        padding=border,
        dimension_numbers=("CHWN", "IHWO", "HWNC"),
    )
    # Of more examples XLA's time grows faster than the work: 128 take 3.5 times as long as 64.
    parts = [x[start : start + AT_ONCE] for start in range(0, x.shape[0], AT_ONCE)]
    return jnp.concatenate([conv(x.transpose(3, 1, 2, 0)).transpose(2, 0, 1, 3) for x in parts])


def _jvp(strides: tuple[int, int], border: Border, primals: tuple, tangents: tuple) -> tuple:
    (x, kernel), (dx, dkernel) = primals, tangents
    out = _on_cpu(x, kernel, strides, border)
    if isinstance(dkernel, SymbolicZero):
        return out, _tangent_of_images(dx, kernel, strides, border)
    tangent = _tangent_of_kernel(x, dkernel, strides, border)
    if not isinstance(dx, SymbolicZero):
        tangent += _tangent_of_images(dx, kernel, strides, border)
    return out, tangent


_on_cpu.defjvp(_jvp, symbolic_zeros=True)
