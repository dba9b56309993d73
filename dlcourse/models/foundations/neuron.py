"""`o = f(w^T x + b)`: the neuron of the perceptron and of logistic regression."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class Neuron(NamedTuple):
    """The weights and biases of one neuron for each output.

    Two classes need one output, which stands for the second class. More classes need one output
    each.
    """

    w: Float[Array, "inputs outputs"]
    b: Float[Array, " outputs"]


def scores(neuron: Neuron, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
    """`z_i = w^T x_i + b` (deck 000)."""
    return x @ neuron.w + neuron.b[None, :]


def targets(labels: Int[Array, " batch"], outputs: int) -> Float[Array, "batch outputs"]:
    """The target of each output: the label itself for one output, a one-hot vector for more."""
    return labels[:, None] * 1.0 if outputs == 1 else jax.nn.one_hot(labels, outputs)


def predict(z: Float[Array, "batch outputs"]) -> Int[Array, " batch"]:
    """The predicted class: the sign of a single score, or the largest of several."""
    return (z[:, 0] > 0).astype(jnp.int32) if z.shape[1] == 1 else jnp.argmax(z, axis=1)
