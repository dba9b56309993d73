"""Recurrent cells: plain RNN, LSTM and GRU, as pure functions of weights, carry and input.

Each is one step of deck 003. x_t is the input `[batch, inputs]`, h the hidden state `[batch,
features]`, σ the sigmoid, ⊙ the product of entries. The weights of all gates lie in one kernel W
`[inputs, gates * features]` and one recurrent kernel U `[features, gates * features]`, so that a
step is two matrix products.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

Name = Literal["rnn", "lstm", "gru"]
Weights = dict[str, Any]
Hidden = Float[Array, "batch features"]
Carry = tuple[Hidden, ...]


class Cell(NamedTuple):
    """One kind of recurrent cell.

    Attributes:
        gates: how many blocks of `features` columns W and U have.
        states: how many arrays `[batch, features]` the carry holds; the first is h, the output.
        step: `(weights, carry, x_t) -> carry`.
        bias: the initial bias, `[gates]`, of each block.
        extra: whether U h has a bias of its own, `recurrent_bias`.
    """

    gates: int
    states: int
    step: Callable[[Weights, Carry, Float[Array, "batch inputs"]], Carry]
    bias: tuple[float, ...]
    extra: bool = False


def rnn(weights: Weights, carry: Carry, x: Float[Array, "batch inputs"]) -> Carry:
    """Elman's network: `h_t = tanh(x_t W + h_t-1 U + b)`."""
    return (jnp.tanh(_sum(weights, carry[0], x)),)


def linear(weights: Weights, carry: Carry, x: Float[Array, "batch inputs"]) -> Carry:
    """Without activation, `h_t = x_t W + h_t-1 U + b`: ∂h_T/∂h_t is U to the power T - t."""
    return (_sum(weights, carry[0], x),)


def lstm(weights: Weights, carry: Carry, x: Float[Array, "batch inputs"]) -> Carry:
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate of Gers, 1999).

        i, f, g, o = x_t W + h_t-1 U + b
        c_t = σ(f) ⊙ c_t-1 + σ(i) ⊙ tanh(g)
        h_t = σ(o) ⊙ tanh(c_t)

    The bias of f begins at 1, so that a cell remembers before it has learned to (Gers; Jozefowicz
    et al., 2015). The memory c is float32 in low precision too, because it is a sum over time.
    """
    h, c = carry
    i, f, g, o = jnp.split(_sum(weights, h, x), 4, axis=-1)
    c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
    return (nn.sigmoid(o) * jnp.tanh(c)).astype(h.dtype), c


def gru(weights: Weights, carry: Carry, x: Float[Array, "batch inputs"]) -> Carry:
    """Gated recurrent unit (Cho et al., 2014), with the reset gate after the product, as cuDNN.

        r, z, n = x_t W + b,    r', z', n' = h_t-1 U + b'
        r = σ(r + r'),    z = σ(z + z'),    n = tanh(n + r ⊙ n')
        h_t = (1 - z) ⊙ n + z ⊙ h_t-1

    Cho's own form resets h before the product with U, which costs a third product in turn.
    """
    (h,) = carry
    r, z, n = jnp.split(x @ weights["kernel"] + weights["bias"][None, :], 3, axis=-1)
    recurrent = h @ weights["recurrent_kernel"] + weights["recurrent_bias"][None, :]
    r_h, z_h, n_h = jnp.split(recurrent, 3, axis=-1)
    z = nn.sigmoid(z + z_h)
    return ((1 - z) * jnp.tanh(n + nn.sigmoid(r + r_h) * n_h) + z * h,)


def _sum(
    weights: Weights, h: Hidden, x: Float[Array, "batch inputs"]
) -> Float[Array, "batch gates_and_features"]:
    return x @ weights["kernel"] + h @ weights["recurrent_kernel"] + weights["bias"][None, :]


CELLS = {
    "rnn": Cell(1, 1, rnn, (0.0,)),
    "lstm": Cell(4, 2, lstm, (0.0, 1.0, 0.0, 0.0)),
    "gru": Cell(3, 1, gru, (0.0, 0.0, 0.0), extra=True),
}
