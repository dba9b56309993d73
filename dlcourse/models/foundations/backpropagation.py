"""Back-propagation by hand: deck 001's matrix recurrences for L layers, as plain functions.

Each column is an example: `X` is `(n_0, m)`, `W^l` is `(n_l, n_(l-1))`, `b^l` is `(n_l, 1)`. These
functions do not use automatic differentiation; the tests compare them with `jax.grad`.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from dlcourse.models.foundations import activations
from dlcourse.models.foundations.activations import ACTIVATIONS, Activation


class Layer(NamedTuple):
    """The weights of one layer, or their gradients: deck 001's `W^l` and `b^l`."""

    W: Float[Array, "outputs inputs"]
    b: Float[Array, "outputs 1"]


class Pass(NamedTuple):
    """The values of the forward pass that the backward pass needs.

    `Z[l]` and `A[l + 1]` belong to the same layer, because `A[0]` is the input X.
    """

    Z: list[Array]
    A: list[Array]


def initial_layers(key: Key[Array, ""], sizes: Sequence[int], initializer: Callable) -> list[Layer]:
    """Layers from `sizes[0]` inputs to `sizes[-1]` outputs, with biases of zero (deck 001)."""
    return [
        # Initialisers take the shape (n_in, n_out); the decks' W is its transpose.
        Layer(initializer(jax.random.fold_in(key, i), (n_in, n_out)).T, jnp.zeros((n_out, 1)))
        for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes))
    ]


def forward(
    layers: Sequence[Layer],
    X: Float[Array, "inputs m"],
    hidden: Activation = ACTIVATIONS["tanh"],
    output: Callable = activations.sigmoid,
) -> Pass:
    """`Z^l = W^l A^(l-1) + b^l`, `A^l = g(Z^l)`, from `A^0 = X`.

    In deck 001: [LINEAR -> g]^(L-1) -> LINEAR -> SIGMOID.

    Args:
        layers: the weights.
        X: the inputs.
        hidden: g, the activation of all layers but the last.
        output: the activation of the last layer.
    """
    Z: list[Array] = []
    A = [X]
    for i, layer in enumerate(layers):
        Z.append(layer.W @ A[-1] + layer.b)
        A.append(output(Z[-1]) if i == len(layers) - 1 else hidden.function(Z[-1]))
    return Pass(Z, A)


def backward(
    layers: Sequence[Layer],
    passed: Pass,
    Y: Float[Array, "outputs m"],
    hidden: Activation = ACTIVATIONS["tanh"],
) -> list[Layer]:
    """The gradient of the cost with respect to the weights of every layer.

        dZ^L = A^L - Y
        dZ^l = (W^(l+1))^T dZ^(l+1) * g'(Z^l)
        dW^l = 1/m dZ^l (A^(l-1))^T,    db^l = 1/m sum dZ^l    (the sum is over the examples)

    The first line holds for a sigmoid output with cross-entropy, and for a linear output with half
    the squared error (deck 002's example).
    """
    m = Y.shape[1]
    dZ = passed.A[-1] - Y
    gradients = []
    for i in reversed(range(len(layers))):
        gradients.append(Layer(dZ @ passed.A[i].T / m, jnp.sum(dZ, axis=1, keepdims=True) / m))
        if i > 0:
            dZ = layers[i].W.T @ dZ * hidden.derivative(passed.Z[i - 1])
    return gradients[::-1]


def descend(
    layers: Sequence[Layer], gradients: Sequence[Layer], learning_rate: float
) -> list[Layer]:
    """One step of gradient descent: `W := W - alpha dW`, `b := b - alpha db`."""
    return jax.tree.map(lambda w, dw: w - learning_rate * dw, list(layers), list(gradients))


def cross_entropy(Z: Float[Array, "outputs m"], Y: Float[Array, "outputs m"]) -> Float[Array, ""]:
    """`J = -1/m sum (y log a + (1 - y) log(1 - a))` with `a = sigmoid(z)` (deck 001).

    Computed from z with `1 - sigmoid(z) = sigmoid(-z)`, so that it is finite when `a` rounds to 0
    or 1.
    """
    log_likelihood = Y * jax.nn.log_sigmoid(Z) + (1 - Y) * jax.nn.log_sigmoid(-Z)
    return -jnp.sum(log_likelihood) / Y.shape[1]


def half_squared_error(
    Z: Float[Array, "outputs m"], Y: Float[Array, "outputs m"]
) -> Float[Array, ""]:
    """`J = 1/m sum 1/2 (a - y)^2` with `a = z`, the error of deck 002's example."""
    return jnp.sum((Z - Y) ** 2) / (2 * Y.shape[1])
