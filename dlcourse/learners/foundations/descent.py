"""Descent of a surface: an optimizer without a model and without data."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from dlcourse import metrics
from dlcourse.learner import Batch, Learner, Metrics, Rule, Trained
from dlcourse.learners.rule import HONOURS, start, update


@struct.dataclass
class DescentState:
    """The state of a descent.

    Attributes:
        point: a `Trained` whose params are the point, float32 `[axes]`.
        path: the points so far, the first one included, `[steps + 1, axes]`.
        taken: how many steps were taken, int32.
    """

    point: Trained
    path: Any
    taken: Any


def descent(
    surface: Callable[[Float[Array, " axes"]], Float[Array, ""]],
    rule: Rule,
    first: Sequence[float],
    steps: int,
) -> Learner:
    """Walks down `surface` from the point `first`: `x_t+1 = x_t + u(∇f(x_t))`.

    u is the update of the optimizer. Batches and keys change nothing. The metric is `height`, f(x);
    in training it is taken at the point that the step leaves. `apply` gives the path.

    Args:
        surface: f.
        rule: the optimizer and the policy, `config.rule(data)`.
        first: where the descent starts.
        steps: for how many steps the path has room.
    """

    def init(key: Array, batch: Batch) -> DescentState:
        point = jnp.asarray(first, jnp.float32)
        path = jnp.zeros((steps + 1, len(point))).at[0].set(point)
        return DescentState(start(rule, {"params": point}), path, jnp.zeros((), jnp.int32))

    def height(point: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        return metrics.scalar(surface(point)), ({}, model_state)

    move = update(rule, height, name="height")

    def step(state: DescentState, batch: Batch, key: Array) -> tuple[DescentState, Metrics]:
        point, measured = move(state.point, batch, key)
        taken = state.taken + 1
        return DescentState(point, state.path.at[taken].set(point.params), taken), measured

    def evaluate(state: DescentState, batch: Batch) -> Metrics:
        return {"height": metrics.scalar(surface(state.point.weights))}

    def apply(
        state: DescentState, batch: Batch, key: Array
    ) -> Float[Array, "steps_and_start axes"]:
        return state.path

    # Only the weights are cast, recomputed and cut into batches, and there are no layers here.
    return Learner(init, step, evaluate, apply, HONOURS - {"precision", "accumulate", "remat"})
