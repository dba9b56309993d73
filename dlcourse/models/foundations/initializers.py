"""The five initialisation schemes of the decks, as Linen's `kernel_init`.

Each is `(key, shape, dtype) -> weights`; `shape` ends in `(n_in, n_out)`, and what stands before
(a convolution's window) multiplies both. The normal distribution is the decks', not truncated:
Linen's own `lecun_normal`, `glorot_normal` and `he_normal` have the same variances, with the tails
cut at two standard deviations. Biases begin at zero, as in the decks.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key


def zeros(
    key: Key[Array, ""], shape: Sequence[int], dtype: DTypeLike = jnp.float32
) -> Float[Array, "..."]:
    """`W = 0`: every neuron of a layer then learns the same thing (deck 001)."""
    return jnp.zeros(shape, dtype)


def small_normal(
    key: Key[Array, ""], shape: Sequence[int], dtype: DTypeLike = jnp.float32
) -> Float[Array, "..."]:
    """`W ~ N(0, 0.01^2)` (deck 001): breaks the symmetry, and fades through many layers."""
    return jax.nn.initializers.normal(0.01)(key, shape, dtype)


def xavier(
    key: Key[Array, ""], shape: Sequence[int], dtype: DTypeLike = jnp.float32
) -> Float[Array, "..."]:
    """`W ~ N(0, 1 / n_in)` (deck 001's Xavier): keeps the variance forward where g(z) ~ z.

    The literature calls it LeCun's; Glorot and Bengio's own is `glorot`.
    """
    return jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal")(key, shape, dtype)


def glorot(
    key: Key[Array, ""], shape: Sequence[int], dtype: DTypeLike = jnp.float32
) -> Float[Array, "..."]:
    """`W ~ N(0, 2 / (n_in + n_out))` (deck 003; Glorot and Bengio 2010, equation 12).

    The mean of what the forward and what the backward pass ask for.
    """
    return jax.nn.initializers.variance_scaling(1.0, "fan_avg", "normal")(key, shape, dtype)


def he(
    key: Key[Array, ""], shape: Sequence[int], dtype: DTypeLike = jnp.float32
) -> Float[Array, "..."]:
    """`W ~ N(0, 2 / n_in)` (deck 003; He et al. 2015): twice, since ReLU lets half through."""
    return jax.nn.initializers.variance_scaling(2.0, "fan_in", "normal")(key, shape, dtype)


INITIALIZERS: dict[str, Callable] = {
    "zeros": zeros,
    "small_normal": small_normal,
    "xavier": xavier,
    "glorot": glorot,
    "he": he,
}
