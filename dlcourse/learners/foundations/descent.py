"""Descent of a surface: an optimizer with nothing around it."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Float

from dlcourse import metrics
from dlcourse.learner import Batch, Learner, Metrics


@struct.dataclass
class DescentState:
    point: Float[Array, " axes"]
    opt_state: optax.OptState


def descent(
    surface: Callable[[Float[Array, " axes"]], Float[Array, ""]],
    optimizer: optax.GradientTransformation,
    start: Sequence[float],
) -> Learner:
    """Walks down `surface` from `start`, one update of the optimizer a step: `x += u(∇f(x))`.

    It learns from the surface and not from examples, so that batches and keys change nothing.
    The metric is `height`, f(x): of a step, at the point it leaves.
    """

    def init(key: Array, batch: Batch) -> DescentState:
        point = jnp.asarray(start, jnp.float32)
        return DescentState(point, optimizer.init(point))

    def step(state: DescentState, batch: Batch, key: Array) -> tuple[DescentState, Metrics]:
        height, slope = jax.value_and_grad(surface)(state.point)
        update, opt_state = optimizer.update(slope, state.opt_state, state.point)
        point = optax.apply_updates(state.point, update)
        return DescentState(point, opt_state), {"height": metrics.scalar(height)}

    def evaluate(state: DescentState, batch: Batch) -> Metrics:
        return {"height": metrics.scalar(surface(state.point))}

    return Learner(init, step, evaluate)
