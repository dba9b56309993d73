"""Adversarial training: learning from images that an attack has made for the present weights."""

from collections.abc import Callable
from typing import Any

import jax

from dlcourse import metrics, streams
from dlcourse.errors import UserError
from dlcourse.learner import Batch, Learner, Metrics, State

Attack = Callable[..., jax.Array]


def adversarial_training(
    learner: Learner,
    attack: Attack,
    epsilon: float,
    *,
    inputs: str = "image",
    target: str = "label",
) -> Learner:
    """Trains a classifier on attacked images only (Madry et al., 2018, equation 2.1).

        min_θ E[ max_{|d| <= epsilon} L(θ, x + d, y) ]

    In each step the attack finds d for the weights at that moment, then `learner` takes its own
    step on `x + d`; so the loss and accuracy of training are those under attack. Evaluation adds
    `robust_accuracy`, the accuracy under the attack, to the learner's own metrics on clean images.
    The attack sees the model as `learner.apply` evaluates it, without dropout.

    Args:
        learner: a `supervised` one.
        attack: `(logits, key, images, labels, epsilon) -> images`, such as `analysis.pgd`;
            `key` is one key, or one for each image.
        epsilon: the radius of the attack.
        inputs: which entry of the batch is attacked.
        target: which entry holds the labels.

    Raises:
        UserError: epsilon is below zero.
    """
    if not isinstance(epsilon, jax.core.Tracer) and not epsilon >= 0:
        raise UserError(f"The epsilon of an attack is a radius, at least 0; it is {epsilon}.")

    def attacked(state: State, batch: Batch, key: Any) -> Batch:
        def logits(state: State, images: jax.Array) -> jax.Array:
            return learner.apply(state, batch | {inputs: images}, jax.random.key(0))

        classifier = jax.tree_util.Partial(logits, state)
        return batch | {inputs: attack(classifier, key, batch[inputs], batch[target], epsilon)}

    def step(state: State, batch: Batch, key: Any) -> tuple[State, Metrics]:
        attack_key, step_key = jax.random.split(key)
        return learner.step(state, attacked(state, batch, attack_key), step_key)

    def evaluate(state: State, batch: Batch) -> Metrics:
        keys = streams.of_examples("attack", batch["index"])
        worst = attacked(state, batch, keys)
        right = metrics.accuracy(learner.apply(state, worst, jax.random.key(0)), batch[target])
        return learner.evaluate(state, batch) | {
            "robust_accuracy": metrics.mean(right, batch.get("mask"))
        }

    return learner._replace(step=step, evaluate=evaluate)
