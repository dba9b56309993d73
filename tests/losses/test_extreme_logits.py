"""Losses and their gradients stay finite for logits of any size."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import losses

EXTREME = np.array([-1e30, -1e4, -90.0, 0.0, 90.0, 1e4, 1e30], np.float32)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: losses.sigmoid_cross_entropy(z, jnp.zeros(7)),
        lambda z: losses.sigmoid_cross_entropy(z, jnp.ones(7)),
        lambda z: losses.softmax_cross_entropy(
            jnp.stack([z, -z, 0 * z], axis=-1), jnp.zeros(7, jnp.int32), smoothing=0.1
        ),
        lambda z: losses.soft_cross_entropy(
            jnp.stack([z, -z, 0 * z], axis=-1), jnp.full((7, 3), 1 / 3)
        ),
        lambda z: losses.gan_discriminator(z, z),
        losses.gan_generator_minimax,
        losses.gan_generator_non_saturating,
        lambda z: losses.huber(z, jnp.zeros(7)),
    ],
)
def test_value_and_gradient_are_finite(loss: Callable) -> None:
    value, gradient = jax.jit(jax.value_and_grad(lambda z: jnp.sum(loss(z))))(EXTREME)
    chex.assert_tree_all_finite((value, gradient))


def test_sure_and_right_costs_nothing_sure_and_wrong_costs_the_logit() -> None:
    logits = jnp.array([1e30, -1e30, 1e30, 20.0])
    loss = losses.sigmoid_cross_entropy(logits, jnp.array([1, 0, 0, 1]))
    np.testing.assert_allclose(loss, [0.0, 0.0, 1e30, np.log1p(np.exp(-20.0))], rtol=1e-6)
