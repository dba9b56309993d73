"""Recurrent cells: plain RNN, LSTM and GRU, as pure functions of weights, carry and input.

Each is one step of deck 003. x_t is the input `[batch, inputs]`, h the hidden state `[batch,
features]`, σ the sigmoid, ⊙ the product of entries. The weights of all gates lie in one kernel W
`[inputs, gates * features]` and one recurrent kernel U `[features, gates * features]`, so that a
step is two matrix products, a = x_t W + b and u = h_t-1 U (+ b'), and a function of their entries.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Name = Literal["rnn", "lstm", "gru"]
Weights = dict[str, Any]
Hidden = Float[Array, "batch features"]
Carry = tuple[Hidden, ...]
Gates = Float[Array, "batch gates_and_features"]


class Cell(NamedTuple):
    """One kind of recurrent cell.

    Attributes:
        gates: how many blocks of `features` columns W and U have.
        states: how many arrays `[batch, features]` the carry holds; the first is h, the output.
        joined: `(a, u) -> s`, the part of each entry of the gates; linear.
        update: `(s, carry) -> carry`, entry by entry.
        bias: the initial bias, `[gates]`, of each block.
        extra: whether U h has a bias of its own, `recurrent_bias`.
    """

    gates: int
    states: int
    joined: Callable[[Gates, Gates], Array]
    update: Callable[[Array, Carry], Carry]
    bias: tuple[float, ...]
    extra: bool = False

    def step(self, weights: Weights, carry: Carry, x: Float[Array, "batch inputs"]) -> Carry:
        """The carry after the input x."""
        return self.update(self.joined(of_input(weights, x), of_hidden(weights, carry[0])), carry)


def of_input(weights: Weights, x: Float[Array, "batch inputs"]) -> Gates:
    """`a = x W + b`."""
    return x @ weights["kernel"] + weights["bias"][None, :]


def of_token(weights: Weights, token: Int[Array, " batch"]) -> Gates:
    """`a = T[token]` for a table T with a row for each token, `T = E W + b`."""
    return weights["table"][token]


def of_hidden(weights: Weights, h: Float[Array, "batch features"]) -> Gates:
    """`u = h U`, and its bias if it has one."""
    product = h @ weights["recurrent_kernel"]
    return product + weights["recurrent_bias"][None, :] if "recurrent_bias" in weights else product


def rnn(s: Gates, carry: Carry) -> Carry:
    """Elman's network: `h_t = tanh(x_t W + h_t-1 U + b)`."""
    del carry
    return (jnp.tanh(s),)


def linear(s: Gates, carry: Carry) -> Carry:
    """Without activation, `h_t = x_t W + h_t-1 U + b`: ∂h_T/∂h_t is U to the power T - t."""
    del carry
    return (s,)


def lstm(s: Gates, carry: Carry) -> Carry:
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate of Gers, 1999).

        i, f, g, o = x_t W + h_t-1 U + b
        c_t = σ(f) ⊙ c_t-1 + σ(i) ⊙ tanh(g)
        h_t = σ(o) ⊙ tanh(c_t)

    The bias of f begins at 1, so that a cell remembers before it has learned to (Gers; Jozefowicz
    et al., 2015). The memory c is float32 in low precision too, because it is a sum over time.
    """
    h, c = carry
    i, f, g, o = jnp.split(s, 4, axis=-1)
    c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
    return (nn.sigmoid(o) * jnp.tanh(c)).astype(h.dtype), c


def gru(s: Array, carry: Carry) -> Carry:
    """Gated recurrent unit (Cho et al., 2014), with the reset gate after the product, as cuDNN.

        r, z, n = x_t W + b,    r', z', n' = h_t-1 U + b'
        r = σ(r + r'),    z = σ(z + z'),    n = tanh(n + r ⊙ n')
        h_t = (1 - z) ⊙ n + z ⊙ h_t-1

    Cho's own form resets h before the product with U, which costs a third product in turn.
    """
    (h,) = carry
    r, z, n, n_h = jnp.split(s, 4, axis=-1)
    z = nn.sigmoid(z)
    return ((1 - z) * jnp.tanh(n + nn.sigmoid(r) * n_h) + z * h,)


def _gru_joined(a: Gates, u: Gates) -> Array:
    """`r + r', z + z', n, n'`."""
    width = a.shape[-1] // 3 * 2
    sums = a[..., :width] + u[..., :width]
    return jnp.concatenate([sums, a[..., width:], u[..., width:]], axis=-1)


CELLS = {
    "rnn": Cell(1, 1, jnp.add, rnn, (0.0,)),
    "lstm": Cell(4, 2, jnp.add, lstm, (0.0, 1.0, 0.0, 0.0)),
    "gru": Cell(3, 1, _gru_joined, gru, (0.0, 0.0, 0.0), extra=True),
}
LINEAR = Cell(1, 1, jnp.add, linear, (0.0,))
