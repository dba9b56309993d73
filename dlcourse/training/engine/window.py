"""The sums behind a row of training metrics, added up on the device between two log points."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from dlcourse.learner import Metrics
from dlcourse.metrics import Loss

BYTES = 2**24  # of all closed windows that a chunk of steps may hold
MOST = 512  # closed windows in a chunk


class Window(NamedTuple):
    """Metrics since the last log point.

    Each sum is compensated (Kahan, 1965), and steps are added one by one in their order. So a row
    does not depend on how the steps are cut into chunks, nor on where a run was stopped.

    Attributes:
        sums: metrics by name, float32 or integers.
        compensation: the low-order parts that the sums have lost, of the same shapes.
    """

    sums: Any
    compensation: Any


def empty(metrics: Metrics) -> Window:
    """A window with no step in it; `metrics` are arrays or shapes."""
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), dict(metrics))
    return Window(zeros, zeros)


def add(window: Window, metrics: Metrics) -> Window:
    """The window with one more step."""

    def both(total: Array, lost: Array, value: Array) -> tuple[Array, Array]:
        if not jnp.issubdtype(total.dtype, jnp.floating):
            return total + value, lost
        value = value - lost
        new = total + value
        # An infinite sum has lost nothing that could be made up for.
        return new, jnp.where(jnp.isfinite(new), (new - total) - value, 0.0)

    pairs = jax.tree.map(both, window.sums, window.compensation, dict(metrics))
    return Window(*jax.tree.transpose(jax.tree.structure(window.sums), None, pairs))


def restart_if(closed: Bool[Array, ""], window: Window) -> Window:
    """An empty window if this one was closed."""
    return jax.tree.map(lambda leaf: jnp.where(closed, jnp.zeros_like(leaf), leaf), window)


def slots(metrics: Metrics, closings: int) -> int:
    """How many closed windows a chunk has room for.

    Args:
        metrics: shapes of one step's metrics.
        closings: the most log points that a chunk can hold.
    """
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(dict(metrics)))
    return max(1, min(closings, MOST, BYTES // max(1, size)))


def all_losses_not_finite(metrics: Mapping[str, Any]) -> Bool[Array, ""]:
    """Whether no loss of any member or part is finite any more."""
    losses = [metric.total for metric in metrics.values() if isinstance(metric, Loss)]
    finite = [jnp.any(jnp.isfinite(total)) for total in losses]
    return ~jnp.any(jnp.stack(finite)) if finite else jnp.asarray(False)


def first_step(found: Int[Array, ""], here: Bool[Array, ""], step: Int[Array, ""]) -> Array:
    """The first step at which something held, 0 until then."""
    return jnp.where((found == 0) & here, step, found)
