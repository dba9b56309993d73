"""Rosenblatt's rule: a learner without a gradient."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from dlcourse import metrics
from dlcourse.learner import Batch, Learner, Metrics
from dlcourse.models.foundations import activations, initializers, neuron


@struct.dataclass
class PerceptronState:
    """Weights, and how often each output was wrong so far."""

    neuron: Any
    mistakes: Any


def perceptron(
    num_classes: int,
    learning_rate: float = 1.0,
    *,
    kernel_init: Callable = initializers.zeros,
    inputs: str = "image",
    target: str = "label",
) -> Learner:
    """The perceptron (decks 000 and 002; Rosenblatt 1958).

        o = step(w^T x + b)
        w := w + alpha (y - o) x,    b := b + alpha (y - o)

    One example after the other, in the order of the batch: the rule as written, whatever the
    batch size. An example that is classified well changes nothing, so a pass over the data
    without a mistake is the end; `mistake_bound` says when at the latest. On data that no line
    separates, such as XOR, it cycles for ever.

    Two classes take one output, more take one each (one-vs-rest, told apart by the largest
    score). From zero weights the rate only scales them and changes no prediction.

    Args:
        num_classes: how many labels there are.
        learning_rate: alpha.
        kernel_init: the weights to begin with; the bias begins at zero.
        inputs: which entry of the batch is x.
        target: which entry is the label.
    """
    outputs = 1 if num_classes == 2 else num_classes

    def init(key: Array, batch: Batch) -> PerceptronState:
        size = batch[inputs][0].size
        weights = neuron.Neuron(kernel_init(key, (size, outputs)), jnp.zeros(outputs))
        return PerceptronState(weights, jnp.zeros(outputs, jnp.int32))

    def step(state: PerceptronState, batch: Batch, key: Array) -> tuple[PerceptronState, Metrics]:
        x = batch[inputs].reshape(len(batch[inputs]), -1)
        y = neuron.targets(batch[target], outputs)

        def rosenblatt(weights: neuron.Neuron, example: tuple) -> tuple[neuron.Neuron, Array]:
            x, y = example
            error = y - activations.step(x @ weights.w + weights.b)
            return neuron.Neuron(
                weights.w + learning_rate * x[:, None] * error[None, :],
                weights.b + learning_rate * error,
            ), jnp.abs(error)

        weights, wrong = jax.lax.scan(rosenblatt, state.neuron, (x, y))
        state = PerceptronState(weights, state.mistakes + jnp.sum(wrong, axis=0, dtype=jnp.int32))
        return state, {"mistakes": metrics.mean(jnp.max(wrong, axis=1))}

    def evaluate(state: PerceptronState, batch: Batch) -> Metrics:
        x = batch[inputs].reshape(len(batch[inputs]), -1)
        right = neuron.predict(neuron.scores(state.neuron, x)) == batch[target]
        return {"accuracy": metrics.mean(right * 1.0, batch["mask"])}

    return Learner(init, step, evaluate)


def mistake_bound(
    x: Float[np.ndarray, "examples inputs"],
    labels: Int[np.ndarray, " examples"],
    start: neuron.Neuron | None = None,
) -> float:
    """The most mistakes that the rule can make on examples of two classes (Novikoff 1962).

        (R / gamma)^2 + 2 |w_0| / gamma,    R = max |(x, 1)|,    gamma = min (2y - 1) (x, 1).u

    It holds for every unit vector u that separates the examples; u is here a support vector
    machine's, whose margin is wide. Where none separates them the bound is infinite. The second
    term, absent from the theorem as it is usually printed, is what weights other than zero at the
    start can cost at rate 1.
    """
    from sklearn.svm import SVC

    def length(w: Any, b: Any) -> float:
        return float(np.sqrt(np.sum(np.square(w)) + np.sum(np.square(b))))

    machine = SVC(kernel="linear", C=1e4).fit(x, labels)
    smallest = float(np.min((2 * labels - 1) * machine.decision_function(x)))
    if smallest <= 0:
        return math.inf
    gamma = smallest / length(machine.coef_, machine.intercept_)
    radius = math.sqrt(np.max(np.sum(x**2, axis=1)) + 1)
    return (radius / gamma) ** 2 + 2 * (0.0 if start is None else length(*start)) / gamma
