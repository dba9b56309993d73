"""Gradient descent with back-propagation written out, without JAX's gradient."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array

from dlcourse import metrics
from dlcourse.learner import Batch, Learner, Metrics, Trained
from dlcourse.models.foundations import activations
from dlcourse.models.foundations import backpropagation as written_out
from dlcourse.models.foundations.activations import ACTIVATIONS, Activation
from dlcourse.models.foundations.backpropagation import Layer


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

    Batches hold an example in a row, as everywhere; the recurrences take it in a column. The
    state's `params` are the layers; `apply` gives the activations of the last, `[batch, outputs]`.

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

    def init(key: Array, batch: Batch) -> Trained:
        return Trained(list(layers(key)))

    def step(state: Trained, batch: Batch, key: Array) -> tuple[Trained, Metrics]:
        X, Y = columns(batch[inputs]), columns(batch[target])
        passed = written_out.forward(state.params, X, hidden, output)
        gradients = written_out.backward(state.params, passed, Y, hidden)
        if not biases:
            gradients = [Layer(each.W, jnp.zeros_like(each.b)) for each in gradients]
        new = written_out.descend(state.params, gradients, learning_rate)
        return Trained(new), {"cost": metrics.Loss(*metrics.scalar(cost(passed.Z[-1], Y)))}

    def passed_through(state: Trained, batch: Batch) -> written_out.Pass:
        return written_out.forward(state.params, columns(batch[inputs]), hidden, output)

    def evaluate(state: Trained, batch: Batch) -> Metrics:
        Z, Y = passed_through(state, batch).Z[-1], columns(batch[target])
        costs = jax.vmap(lambda z, y: cost(z[:, None], y[:, None]), in_axes=1)(Z, Y)
        return {"cost": metrics.mean(costs, batch["mask"])}

    def apply(state: Trained, batch: Batch, key: Array) -> Array:
        return passed_through(state, batch).A[-1].T

    return Learner(init, step, evaluate, apply)
