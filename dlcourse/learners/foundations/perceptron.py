"""The perceptron rule: a learner without a gradient."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from dlcourse import metrics
from dlcourse.learner import Batch, Learner, Metrics, Trained
from dlcourse.models.foundations import activations, initializers, neuron


@struct.dataclass
class PerceptronState:
    """The state of a perceptron.

    Attributes:
        neuron: a `Trained` whose params are a `Neuron`.
        mistakes: how often each output was wrong so far, int32 `[outputs]`.
    """

    neuron: Trained
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

    Examples are taken one by one in the order of the batch, so the batch size changes nothing. A
    correct example changes nothing either: after a pass without a mistake the weights are final.
    `mistake_bound` bounds the number of mistakes before that. On data that are not linearly
    separable, such as XOR, the weights cycle.

    Two classes take one output; more take one output each (one-vs-rest, the largest score wins).
    From zero weights the rate only scales the weights and changes no prediction.

    Args:
        num_classes: how many labels there are.
        learning_rate: alpha.
        kernel_init: of the weights; the bias starts at zero.
        inputs: which entry of the batch is x.
        target: which entry is the label.
    """
    outputs = 1 if num_classes == 2 else num_classes

    def init(key: Array, batch: Batch) -> PerceptronState:
        size = batch[inputs][0].size
        weights = neuron.Neuron(kernel_init(key, (size, outputs)), jnp.zeros(outputs))
        return PerceptronState(Trained(weights), jnp.zeros(outputs, jnp.int32))

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

        weights, wrong = jax.lax.scan(rosenblatt, state.neuron.params, (x, y))
        mistakes = state.mistakes + jnp.sum(wrong, axis=0, dtype=jnp.int32)
        measured = {"mistakes": metrics.mean(jnp.max(wrong, axis=1))}
        return PerceptronState(Trained(weights), mistakes), measured

    def apply(state: PerceptronState, batch: Batch, key: Array | None) -> Array:
        x = batch[inputs].reshape(len(batch[inputs]), -1)
        return neuron.scores(state.neuron.params, x)

    def evaluate(state: PerceptronState, batch: Batch) -> Metrics:
        right = neuron.predict(apply(state, batch, None)) == batch[target]
        return {"accuracy": metrics.mean(right * 1.0, batch["mask"])}

    return Learner(init, step, evaluate, apply)


def mistake_bound(
    x: Float[np.ndarray, "examples inputs"],
    labels: Int[np.ndarray, " examples"],
    start: neuron.Neuron | None = None,
) -> float:
    """The maximum number of mistakes of the rule on two classes (Novikoff 1962).

        (R / gamma)^2 + 2 |w_0| / gamma,    R = max |(x, 1)|,    gamma = min (2y - 1) (x, 1).u

    It holds for every unit vector u that separates the examples; here u is that of a support vector
    machine, which has a wide margin. Without a separating u the bound is infinite. The second term,
    which textbooks omit, accounts for initial weights other than zero at rate 1.
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
