"""Losses and their gradients stay finite for logits of any size."""

import functools
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import losses

EXTREME = np.array([-1e30, -1e4, -90.0, 0.0, 90.0, 1e4, 1e30], np.float32)


def three_classes(z: jax.Array) -> jax.Array:
    return jnp.stack([z, -z, 0 * z], axis=-1)


LOSSES = {
    "sigmoid of class 0": lambda z: losses.sigmoid_cross_entropy(z, jnp.zeros(7)),
    "sigmoid of class 1": lambda z: losses.sigmoid_cross_entropy(z, jnp.ones(7)),
    "softmax": lambda z: losses.softmax_cross_entropy(
        three_classes(z), jnp.zeros(7, jnp.int32), smoothing=0.1
    ),
    "soft": lambda z: losses.soft_cross_entropy(three_classes(z), jnp.full((7, 3), 1 / 3)),
    "gan_discriminator": lambda z: losses.gan_discriminator(z, z),
    "gan_generator_minimax": losses.gan_generator_minimax,
    "gan_generator_non_saturating": losses.gan_generator_non_saturating,
    "huber": lambda z: losses.huber(z, jnp.zeros(7)),
}


@functools.cache
def values_and_gradients() -> dict:
    """By loss, summed over the logits, compiled as one program."""

    def of(loss: Callable, z: jax.Array) -> tuple:
        return jax.value_and_grad(lambda z: jnp.sum(loss(z)))(z)

    return jax.jit(lambda z: {name: of(loss, z) for name, loss in LOSSES.items()})(EXTREME)


@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_are_finite(name: str) -> None:
    chex.assert_tree_all_finite(values_and_gradients()[name])


def test_sure_and_right_costs_nothing_sure_and_wrong_costs_the_logit() -> None:
    logits = np.float32([1e30, -1e30, 1e30, 20.0])
    loss = jax.jit(losses.sigmoid_cross_entropy)(logits, np.array([1, 0, 0, 1]))
    np.testing.assert_allclose(loss, [0.0, 0.0, 1e30, np.log1p(np.exp(-20.0))], rtol=1e-6)
