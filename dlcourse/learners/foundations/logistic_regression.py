"""Logistic regression by full-batch gradient descent on the gradient written by hand."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array

from dlcourse import metrics
from dlcourse.learner import Batch, Learner, Metrics, Trained
from dlcourse.models.foundations import logistic_regression as regression
from dlcourse.models.foundations import neuron


@struct.dataclass
class LogisticState:
    """The state of logistic regression.

    Attributes:
        neuron: a `Trained` whose params are a `Neuron`.
        cost: the cost at the last step's weights.
        settled: whether it no longer changed.
    """

    neuron: Trained
    cost: Any
    settled: Any


def logistic_regression(
    num_classes: int,
    learning_rate: float,
    *,
    l2: float = 0.0,
    tolerance: float = 1e-6,
    multinomial: bool = False,
    inputs: str = "image",
    target: str = "label",
) -> Learner:
    """Decks 000 and 001: `w := w - alpha dJ/dw` until the cost no longer changes.

    The batch should be the whole training set, so that the cost can settle. Where
    `|J_t - J_(t-1)| <= tolerance` the weights stay as they are, and the next cost is the same: the
    decks' stopping condition as a pure function, whatever number of steps the loop runs. (In
    another order of the same examples the cost rounds differently, and the weights may move again.)

    Evaluation repeats the cost of the last step, so that a run with patience and `monitor="min
    cost"` stops there too.

    Args:
        num_classes: how many labels there are.
        learning_rate: alpha.
        l2: lambda, the weight of the penalty `lambda / 2m sum w^2`.
        tolerance: the change of the cost that counts as none.
        multinomial: one softmax over the classes; else one sigmoid for each (one-vs-rest),
            and for two classes a single one.
        inputs: which entry of the batch is x.
        target: which entry is the label.
    """
    outputs = 1 if num_classes == 2 and not multinomial else num_classes

    def init(key: Array, batch: Batch) -> LogisticState:
        size = batch[inputs][0].size
        # The cost is convex: zero is as good a start as any, and needs no key.
        weights = neuron.Neuron(jnp.zeros((size, outputs)), jnp.zeros(outputs))
        return LogisticState(Trained(weights), jnp.asarray(jnp.inf), jnp.asarray(False))

    def step(state: LogisticState, batch: Batch, key: Array) -> tuple[LogisticState, Metrics]:
        x = batch[inputs].reshape(len(batch[inputs]), -1)
        y = neuron.targets(batch[target], outputs)
        cost = regression.cost(state.neuron.params, x, y, l2=l2, multinomial=multinomial)
        gradient = regression.gradient(state.neuron.params, x, y, l2=l2, multinomial=multinomial)
        settled = jnp.abs(state.cost - cost) <= tolerance
        rate = jnp.where(settled, 0.0, learning_rate)
        weights = jax.tree.map(lambda w, dw: w - rate * dw, state.neuron.params, gradient)
        values = {
            "cost": metrics.Loss(*metrics.scalar(cost)),
            "settled": metrics.scalar(settled * 1.0),
        }
        return LogisticState(Trained(weights), cost, settled), values

    def evaluate(state: LogisticState, batch: Batch) -> Metrics:
        x = batch[inputs].reshape(len(batch[inputs]), -1)
        y = neuron.targets(batch[target], outputs)
        losses = regression.losses(state.neuron.params, x, y, multinomial=multinomial)
        right = neuron.predict(neuron.scores(state.neuron.params, x)) == batch[target]
        return {
            "loss": metrics.mean(losses, batch["mask"]),
            "accuracy": metrics.mean(right * 1.0, batch["mask"]),
            "cost": metrics.mean(jnp.full(len(x), state.cost), batch["mask"]),
        }

    def apply(state: LogisticState, batch: Batch, key: Array) -> Array:
        x = batch[inputs].reshape(len(batch[inputs]), -1)
        return neuron.scores(state.neuron.params, x)

    return Learner(init, step, evaluate, apply)
