"""Products of the places of a batch with a kernel, as one product of two matrices."""

import math
from typing import Any

import jax
from jaxtyping import Array


def dot_general(x: Array, kernel: Array, dimension_numbers: Any, **options: Any) -> Array:
    """`jax.lax.dot_general` of the last axes of x with the first of a kernel, for `nn.Dense`.

    The other axes of each are joined before the product. The gradient of the kernel is then a
    product of two matrices too; of three axes, XLA's CPU backend first copies the gradient of the
    output into another layout and takes up to three times as long.
    """
    (contracted, _), _ = dimension_numbers
    count = len(contracted)
    outer, inner = x.shape[: x.ndim - count], kernel.shape[count:]
    product = jax.lax.dot_general(
        x.reshape(math.prod(outer), -1),
        kernel.reshape(-1, math.prod(inner)),
        (((1,), (0,)), ((), ())),
        **options,
    )
    return product.reshape(*outer, *inner)
