"""One neuron, or one a class: `o = f(w^T x + b)`, what perceptron and logistic regression share."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class Neuron(NamedTuple):
    """Weights and bias of the decks' single neuron, one column for each output.

    Two classes take one output, read as "the second class or not"; more classes take one each.
    """

    w: Float[Array, "inputs outputs"]
    b: Float[Array, " outputs"]


def scores(neuron: Neuron, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
    """`z_i = w^T x_i + b` (deck 000)."""
    return x @ neuron.w + neuron.b[None, :]


def targets(labels: Int[Array, " batch"], outputs: int) -> Float[Array, "batch outputs"]:
    """What each output should be: the label itself for one output, else 1 at the label's."""
    return labels[:, None] * 1.0 if outputs == 1 else jax.nn.one_hot(labels, outputs)


def predict(z: Float[Array, "batch outputs"]) -> Int[Array, " batch"]:
    """The class the scores speak for: the side of the line, or the largest score."""
    return (z[:, 0] > 0).astype(jnp.int32) if z.shape[1] == 1 else jnp.argmax(z, axis=1)
