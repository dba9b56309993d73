"""Generalised advantage estimation."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float


def advantages(
    reward: Float[Array, "n *batch"],
    value: Float[Array, "n *batch"],
    next_value: Float[Array, "n *batch"],
    terminated: Bool[Array, "n *batch"],
    ended: Bool[Array, "n *batch"],
    *,
    discount: ArrayLike,
    trace: ArrayLike,
) -> Float[Array, "n *batch"]:
    """How much better each move was than the value of its state (Schulman et al., 2016).

        δ_t = r_t + γ (1 - terminated_t) V(s'_t) - V(s_t)
        A_t = δ_t + γ λ (1 - ended_t) A_{t+1}

    with A = 0 after the last move. λ = 0 gives the error of temporal differences δ, λ = 1 the
    discounted rewards of the rest of the episode less V(s_t). Where an episode was truncated, or
    the rollout is cut, V(s') of the state reached there stands for the rest; behind a terminal
    state there is nothing.

    Args:
        reward: r of each move.
        value: V(s) of the state before the move.
        next_value: V(s') of the state that the move led to; of the last state of an episode, and
            not of the new one that begins after it.
        terminated: whether s' is terminal.
        ended: whether the episode ended with the move, terminated or truncated.
        discount: γ.
        trace: λ.
    """
    error = reward + discount * jnp.where(terminated, 0.0, next_value) - value
    kept = discount * trace * (1.0 - ended)

    def before(after: jax.Array, move: Any) -> tuple[jax.Array, jax.Array]:
        error, kept = move
        advantage = error + kept * after
        return advantage, advantage

    nothing = jnp.zeros(reward.shape[1:])
    return jax.lax.scan(before, nothing, (error, kept), reverse=True)[1]
