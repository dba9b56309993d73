"""The nine activation functions of decks 001 and 003, with derivatives written by hand.

`ACTIVATIONS` pairs each function with its derivative, for `models.backpropagation` and
`analysis.signal`. At the kink of a function the derivative follows deck 001, `g'(0) = 1`;
`jax.grad` of `jax.nn.relu` gives 0 there.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Activation(NamedTuple):
    """A function `g` and its derivative `g'`, both elementwise.

    Exception: the derivative of softmax is a Jacobian, with one more axis at the end.
    """

    function: Callable
    derivative: Callable


def linear(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`g(z) = z` (deck 003): the output of a regression."""
    return z


def linear_derivative(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`g'(z) = 1`."""
    return jnp.ones_like(z)


def step(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`g(z) = 1 if z > 0 else 0`: the threshold of the perceptron (deck 002)."""
    return (z > 0).astype(z.dtype)


def step_derivative(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`g'(z) = 0`: gradient descent cannot train a step function. At 0 it is not differentiable."""
    return jnp.zeros_like(z)


def sigmoid(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`g(z) = 1 / (1 + e^-z)`, in (0, 1) (decks 000, 001)."""
    return jax.nn.sigmoid(z)


def sigmoid_derivative(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`g'(z) = g(z) (1 - g(z))`, at most 1/4 (deck 001)."""
    a = sigmoid(z)
    return a * (1 - a)


def tanh(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`g(z) = (e^z - e^-z) / (e^z + e^-z)`, in (-1, 1) (decks 001, 003)."""
    return jnp.tanh(z)


def tanh_derivative(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`g'(z) = 1 - g(z)^2` (deck 001)."""
    return 1 - jnp.tanh(z) ** 2


def relu(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`g(z) = max(0, z)` (decks 001, 003)."""
    return jax.nn.relu(z)


def relu_derivative(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`g'(z) = 0 if z < 0, 1 if z >= 0` (deck 001)."""
    return (z >= 0).astype(z.dtype)


def leaky_relu(z: Float[Array, "*shape"], alpha: float = 0.01) -> Float[Array, "*shape"]:
    """`g(z) = max(alpha z, z)`, 0 < alpha < 1 (decks 001, 003)."""
    return jax.nn.leaky_relu(z, alpha)


def leaky_relu_derivative(z: Float[Array, "*shape"], alpha: float = 0.01) -> Float[Array, "*shape"]:
    """`g'(z) = alpha if z < 0, 1 if z >= 0` (deck 001)."""
    return jnp.where(z < 0, alpha, 1.0).astype(z.dtype)


def elu(z: Float[Array, "*shape"], alpha: float = 1.0) -> Float[Array, "*shape"]:
    """`g(z) = alpha (e^z - 1) if z < 0, z if z >= 0` (deck 003)."""
    return jax.nn.elu(z, alpha)


def elu_derivative(z: Float[Array, "*shape"], alpha: float = 1.0) -> Float[Array, "*shape"]:
    """`g'(z) = alpha e^z if z < 0, 1 if z >= 0`."""
    # The minimum keeps e^z finite in the branch that `where` discards.
    return jnp.where(z < 0, alpha * jnp.exp(jnp.minimum(z, 0)), 1.0).astype(z.dtype)


def swish(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`g(z) = z / (1 + e^-z)`, the sigmoid-weighted linear unit (deck 003)."""
    return jax.nn.silu(z)


def swish_derivative(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`g'(z) = s (1 + z (1 - s))` with `s = 1 / (1 + e^-z)`."""
    s = sigmoid(z)
    return s * (1 + z * (1 - s))


def softmax(z: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    """`g(z)_i = e^z_i / sum_j e^z_j` (decks 001, 003): the output of a classifier."""
    return jax.nn.softmax(z)


def softmax_derivative(
    z: Float[Array, "*batch classes"],
) -> Float[Array, "*batch classes classes"]:
    """`dg_i/dz_j = g_i (1[i = j] - g_j)`, a Jacobian: every output depends on every input."""
    a = softmax(z)
    diagonal = jnp.vectorize(jnp.diag, signature="(k)->(k,k)")
    return diagonal(a) - a[..., :, None] * a[..., None, :]


ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation(linear, linear_derivative),
    "step": Activation(step, step_derivative),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "tanh": Activation(tanh, tanh_derivative),
    "relu": Activation(relu, relu_derivative),
    "leaky_relu": Activation(leaky_relu, leaky_relu_derivative),
    "elu": Activation(elu, elu_derivative),
    "swish": Activation(swish, swish_derivative),
    "softmax": Activation(softmax, softmax_derivative),
}
