"""Penalties on a parameter tree. `mask(params)` selects the leaves: kernels by default."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from dlcourse import parameters


def l1(params: PyTree, mask: Callable = parameters.kernels) -> Float[Array, ""]:
    """`Σ |W|` over the kernels (deck 001, lasso): drives many weights to exactly 0.

    The deck's cost over m training examples is `J + λ/m · l1(params)`. The penalty's gradient is
    `λ/m sign(W)`.
    """
    return _sum_over(mask, params, jnp.abs)


def l2(params: PyTree, mask: Callable = parameters.kernels) -> Float[Array, ""]:
    """`½ Σ W²` over the kernels (deck 001, ridge).

    The deck's cost over m training examples is `J + λ/m · l2(params)`, which is `J + λ/2m Σ W²`.
    The penalty's gradient is `λ/m W`.
    """
    return 0.5 * _sum_over(mask, params, jnp.square)


def _sum_over(mask: Callable, params: PyTree, function: Callable) -> Float[Array, ""]:
    sums = jax.tree.map(
        lambda counts, x: jnp.sum(function(x)) if counts else 0.0, mask(params), params
    )
    return jax.tree.reduce(jnp.add, sums, jnp.zeros(()))
