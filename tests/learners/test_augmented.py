"""Augmentation in training: random, repeatable, and absent from evaluation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import data, learners, losses, models, optim
from dlcourse.learner import Rule


def test_augmentation_is_for_training_alone(key):
    model = models.MLP((3,))
    plain = learners.supervised(model, losses.softmax_cross_entropy, Rule(optim.sgd(0.1)))
    batch = {
        "image": jax.random.normal(key, (7, 4, 4, 1)),
        "label": jnp.arange(7) % 3,
        "index": jnp.arange(7),
    }
    state = jax.jit(plain.init)(key, batch)
    step = jax.jit(plain.step)
    negated = learners.augmented(plain, lambda key, b: b | {"image": -b["image"]})
    after, measured = jax.jit(negated.step)(state, batch, key)
    expected, by_hand = step(state, batch | {"image": -batch["image"]}, key)
    jax.tree.map(np.testing.assert_array_equal, (after, measured), (expected, by_hand))
    jax.tree.map(
        np.testing.assert_array_equal, negated.evaluate(state, batch), plain.evaluate(state, batch)
    )
    shift = functools.partial(data.augment.crop, padding=1)
    shifted = learners.augmented(plain, data.augment.per_example(shift))
    shifted_step = jax.jit(shifted.step)
    losses_seen = [
        shifted_step(state, batch, jax.random.key(k))[1]["loss"].value for k in (0, 0, 1)
    ]
    assert losses_seen[0] == losses_seen[1]
    assert losses_seen[0] != losses_seen[2]
