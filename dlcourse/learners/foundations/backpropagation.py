"""Gradient descent on the recurrences of `models.backpropagation`, without JAX's own gradient."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array

from dlcourse import metrics
from dlcourse.learner import Batch, Learner, Metrics
from dlcourse.models.foundations import activations
from dlcourse.models.foundations import backpropagation as written_out
from dlcourse.models.foundations.activations import ACTIVATIONS, Activation
from dlcourse.models.foundations.backpropagation import Layer


@struct.dataclass
class BackpropagationState:
    """The layers, as deck 001 writes them."""

    layers: Any


def backpropagation(
    layers: Callable[[Array], Sequence[Layer]],
    learning_rate: float,
    *,
    hidden: Activation = ACTIVATIONS["tanh"],
    output: Callable = activations.sigmoid,
    cost: Callable[[Array, Array], Array] = written_out.cross_entropy,
    biases: bool = True,
    inputs: str = "image",
    target: str = "label",
) -> Learner:
    """`W := W - alpha dW` with dW by back-propagation written out (deck 001).

    Batches hold an example in a row, as everywhere; the recurrences take it in a column.

    Args:
        layers: from a key to the layers at the start, `models.backpropagation.initial_layers`.
        learning_rate: alpha.
        hidden: g of the hidden layers, with its derivative.
        output: the last layer's function, which with `cost` makes `dZ = A - Y`.
        cost: of Z and Y; sigmoid goes with cross-entropy, linear with half the squared error.
        biases: whether they learn; deck 002's example has none.
        inputs: which entry of the batch is x.
        target: which entry is y, `[batch]` or `[batch, outputs]`.
    """

    def columns(values: Array) -> Array:
        return values.reshape(len(values), -1).T * 1.0

    def init(key: Array, batch: Batch) -> BackpropagationState:
        return BackpropagationState(list(layers(key)))

    def step(
        state: BackpropagationState, batch: Batch, key: Array
    ) -> tuple[BackpropagationState, Metrics]:
        X, Y = columns(batch[inputs]), columns(batch[target])
        passed = written_out.forward(state.layers, X, hidden, output)
        gradients = written_out.backward(state.layers, passed, Y, hidden)
        if not biases:
            gradients = [Layer(each.W, jnp.zeros_like(each.b)) for each in gradients]
        new = written_out.descend(state.layers, gradients, learning_rate)
        return BackpropagationState(new), {"cost": metrics.scalar(cost(passed.Z[-1], Y))}

    def evaluate(state: BackpropagationState, batch: Batch) -> Metrics:
        X, Y = columns(batch[inputs]), columns(batch[target])
        Z = written_out.forward(state.layers, X, hidden, output).Z[-1]
        costs = jax.vmap(lambda z, y: cost(z[:, None], y[:, None]), in_axes=1)(Z, Y)
        return {"cost": metrics.mean(costs, batch["mask"])}

    return Learner(init, step, evaluate)
