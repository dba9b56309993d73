"""Adversarial training: learning from the images that the model is worst at, made on the way."""

from collections.abc import Callable
from typing import Any

import jax

from dlcourse import metrics
from dlcourse.errors import UserError
from dlcourse.learner import Batch, Learner, Metrics, State

Predict = Callable[[State, Batch], jax.Array]
Attack = Callable[..., jax.Array]


def adversarial_training(
    learner: Learner,
    predict: Predict,
    attack: Attack,
    epsilon: float,
    *,
    seed: int = 0,
    inputs: str = "image",
    target: str = "label",
) -> Learner:
    """Trains a classifier on attacked images only (Madry et al., 2018, equation 2.1).

        min_θ E[ max_{|d| <= epsilon} L(θ, x + d, y) ]

    Within each step the attack finds d for the weights of that moment, then `learner` takes its
    own step on `x + d`; so the loss and accuracy of training are those under attack. Evaluation is
    the learner's own, on clean images, and `robust_accuracy`, the accuracy under the attack.

    Args:
        learner: a `supervised` one.
        predict: its `predictor`: the attack sees the model as it is evaluated, without dropout.
        attack: `(logits, key, images, labels, epsilon) -> images`, such as `analysis.attacks.pgd`.
        epsilon: the radius of the attack.
        seed: of the evaluation's attacks, which are the same each time.
        inputs: which entry of the batch is attacked.
        target: which entry holds the labels.

    Raises:
        UserError: epsilon below zero.
    """
    if not isinstance(epsilon, jax.core.Tracer) and not epsilon >= 0:
        raise UserError(f"An attack's epsilon is a radius, at least 0; it is {epsilon}.")

    def attacked(state: State, batch: Batch, key: Any) -> Batch:
        def logits(state: State, images: jax.Array) -> jax.Array:
            return predict(state, batch | {inputs: images})

        classifier = jax.tree_util.Partial(logits, state)
        return batch | {inputs: attack(classifier, key, batch[inputs], batch[target], epsilon)}

    def step(state: State, batch: Batch, key: Any) -> tuple[State, Metrics]:
        attack_key, step_key = jax.random.split(key)
        return learner.step(state, attacked(state, batch, attack_key), step_key)

    def evaluate(state: State, batch: Batch) -> Metrics:
        worst = attacked(state, batch, jax.random.key(seed))
        right = metrics.accuracy(predict(state, worst), batch[target])
        return learner.evaluate(state, batch) | {
            "robust_accuracy": metrics.mean(right, batch.get("mask"))
        }

    return learner._replace(step=step, evaluate=evaluate)
