"""How much of a gradient arrives at earlier steps of a recurrent network."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dlcourse.models.sequence.cells import LINEAR, Carry, Cell, Weights


def gradient_through_time(
    cell: Cell,
    weights: Weights,
    x: Float[Array, "batch time inputs"],
    loss: Callable[[Float[Array, "batch features"]], Float[Array, " batch"]],
) -> Float[np.ndarray, " time"]:
    """`‖∂L/∂s_t‖` for the carry s_t after every step, relative to the last one's.

    L is a loss of the last h. With U = s Q, Q orthogonal, a linear network has `s^(T - t)` exactly:
    gradients vanish for s < 1 and explode for s > 1 (Bengio et al., 1994).

    Args:
        cell: kind of the cell.
        weights: of the cell.
        x: inputs.
        loss: L of each sequence, from its last h.

    Returns:
        The geometric mean over the sequences.
    """

    batch, time, _ = x.shape
    features = weights["recurrent_kernel"].shape[0]
    carry: Carry = (jnp.zeros((batch, features)),) * cell.states

    def last(added: tuple[Array, ...]) -> Array:
        def step(carry: Carry, inputs: tuple) -> tuple[Carry, None]:
            x_t, change = inputs
            new = cell.step(weights, carry, x_t)
            return tuple(n + c for n, c in zip(new, change, strict=True)), None

        end, _ = jax.lax.scan(step, carry, (jnp.swapaxes(x, 0, 1), added))
        return jnp.sum(loss(end[0]))

    zeros = (jnp.zeros((time, batch, features)),) * cell.states
    slopes = jax.jit(jax.grad(last))(zeros)
    squares = sum(jnp.sum(slope**2, axis=-1) for slope in slopes)
    logs = np.log(np.asarray(squares, np.float64)).mean(axis=1) / 2
    return np.exp(logs - logs[-1])


def powers_through_time(
    scale: float, width: int, time: int, loss: Callable[[Array], Array]
) -> Float[np.ndarray, " time"]:
    """`gradient_through_time` of a linear network with U = s Q: powers of s, the scale."""
    orthogonal = jax.nn.initializers.orthogonal()(jax.random.key(0), (width, width))
    weights = {
        "kernel": jnp.ones((1, width)),
        "recurrent_kernel": scale * orthogonal,
        "bias": jnp.zeros(width),
    }
    x = jnp.zeros((1, time, 1)).at[:, 0].set(1.0)
    return gradient_through_time(LINEAR, weights, x, loss)
