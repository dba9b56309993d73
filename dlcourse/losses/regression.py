"""Losses of regressions."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from dlcourse.losses.arguments import check_same_shape


def squared_error(
    predictions: Float[Array, "batch *rest"], targets: Num[Array, "batch *rest"]
) -> Float[Array, "batch *rest"]:
    """`(y - ŷ)²`, the term of least squares (deck 001). Deck 002's worked example halves it.

    Raises:
        ValueError: the shapes differ.
    """
    check_same_shape(predictions, targets)
    return (predictions - targets) ** 2


def huber(
    predictions: Float[Array, "batch *rest"],
    targets: Num[Array, "batch *rest"],
    delta: float = 1.0,
) -> Float[Array, "batch *rest"]:
    """Quadratic for small errors, linear for large ones (Huber, 1964).

        ½ e²            where |e| ≤ δ, with e = y - ŷ
        δ (|e| - ½ δ)   elsewhere

    Raises:
        ValueError: the shapes differ.
    """
    check_same_shape(predictions, targets)
    error = jnp.abs(predictions - targets)
    near = jnp.minimum(error, delta)
    return near * (error - 0.5 * near)
