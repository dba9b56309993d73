"""The five initialisation schemes of the decks, for Linen's `kernel_init`.

Each is `(key, shape, dtype) -> weights`. The shape ends in `(n_in, n_out)`; preceding axes, such as
the window of a convolution, multiply both. As in the decks, the normal distribution is not
truncated. Linen's own `lecun_normal`, `glorot_normal` and `he_normal` have the same variances but
are truncated at two standard deviations. Biases are initialised to zero.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key


def zeros(
    key: Key[Array, ""], shape: Sequence[int], dtype: DTypeLike = jnp.float32
) -> Float[Array, "..."]:
    """`W = 0`: all neurons of a layer then stay equal (deck 001)."""
    return jnp.zeros(shape, dtype)


def small_normal(
    key: Key[Array, ""], shape: Sequence[int], dtype: DTypeLike = jnp.float32
) -> Float[Array, "..."]:
    """`W ~ N(0, 0.01^2)` (deck 001): breaks the symmetry; signals vanish in deep networks."""
    return jax.nn.initializers.normal(0.01)(key, shape, dtype)


def xavier(
    key: Key[Array, ""], shape: Sequence[int], dtype: DTypeLike = jnp.float32
) -> Float[Array, "..."]:
    """`W ~ N(0, 1 / n_in)`, deck 001's Xavier: preserves the variance forward where g(z) ~ z.

    The literature calls it LeCun initialisation. Glorot and Bengio's scheme is `glorot`.
    """
    return jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal")(key, shape, dtype)


def glorot(
    key: Key[Array, ""], shape: Sequence[int], dtype: DTypeLike = jnp.float32
) -> Float[Array, "..."]:
    """`W ~ N(0, 2 / (n_in + n_out))` (deck 003; Glorot and Bengio 2010, equation 12).

    A compromise: `1 / n_in` would preserve the variance forward and `1 / n_out` backward.
    """
    return jax.nn.initializers.variance_scaling(1.0, "fan_avg", "normal")(key, shape, dtype)


def he(
    key: Key[Array, ""], shape: Sequence[int], dtype: DTypeLike = jnp.float32
) -> Float[Array, "..."]:
    """`W ~ N(0, 2 / n_in)` (deck 003; He et al. 2015): ReLU halves the variance, hence the 2."""
    return jax.nn.initializers.variance_scaling(2.0, "fan_in", "normal")(key, shape, dtype)


INITIALIZERS: dict[str, Callable] = {
    "zeros": zeros,
    "small_normal": small_normal,
    "xavier": xavier,
    "glorot": glorot,
    "he": he,
}
