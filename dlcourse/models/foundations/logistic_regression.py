"""Logistic regression with a gradient written by hand (decks 000 and 001).

With one output it is the decks' neuron. With one output for each class it is one-vs-rest
regression with the sigmoid, or multinomial regression with the softmax. Rows of `x` are examples,
as in deck 000.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dlcourse.models.foundations.neuron import Neuron, scores


def forward(
    neuron: Neuron, x: Float[Array, "batch inputs"], *, multinomial: bool = False
) -> Float[Array, "batch outputs"]:
    """`a_i = sigmoid(w^T x_i + b)` (deck 000), or the softmax over the outputs."""
    z = scores(neuron, x)
    return jax.nn.softmax(z) if multinomial else jax.nn.sigmoid(z)


def losses(
    neuron: Neuron,
    x: Float[Array, "batch inputs"],
    y: Float[Array, "batch outputs"],
    *,
    multinomial: bool = False,
) -> Float[Array, " batch"]:
    """The negative log-likelihood of each example, that is, its cross-entropy.

        -(y log a + (1 - y) log(1 - a)),    multinomial: -sum_k y_k log a_k

    One-vs-rest sums over the outputs, which are independent regressions.
    """
    z = scores(neuron, x)
    if multinomial:
        return -jnp.sum(y * jax.nn.log_softmax(z), axis=1)
    return -jnp.sum(y * jax.nn.log_sigmoid(z) + (1 - y) * jax.nn.log_sigmoid(-z), axis=1)


def cost(
    neuron: Neuron,
    x: Float[Array, "batch inputs"],
    y: Float[Array, "batch outputs"],
    *,
    l2: float = 0.0,
    multinomial: bool = False,
) -> Float[Array, ""]:
    """`J = 1/m sum_i loss_i + lambda / 2m sum w^2` (deck 001; the bias is not penalised).

    scikit-learn's `C` is `1 / lambda`.
    """
    penalty = l2 / (2 * x.shape[0]) * jnp.sum(neuron.w**2)
    return jnp.mean(losses(neuron, x, y, multinomial=multinomial)) + penalty


def gradient(
    neuron: Neuron,
    x: Float[Array, "batch inputs"],
    y: Float[Array, "batch outputs"],
    *,
    l2: float = 0.0,
    multinomial: bool = False,
) -> Neuron:
    """The gradient of `cost`.

        dJ/dw_j = 1/m sum_i (a_i - y_i) x_ij + lambda / m w_j,    dJ/db = 1/m sum_i (a_i - y_i)

    Sigmoid and softmax have the same gradient, because `dloss_i/dz_i = a_i - y_i` for both. Deck
    000 prints this product of the chain rule as `dJ_i/da_i`.
    """
    m = x.shape[0]
    error = forward(neuron, x, multinomial=multinomial) - y
    return Neuron(x.T @ error / m + l2 / m * neuron.w, jnp.sum(error, axis=0) / m)
