"""A recurrent cell over time, with a gradient that multiplies its large matrices once."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from dlcourse.models.sequence import cells
from dlcourse.models.sequence.cells import Carry, Cell, Weights

# (weights, inputs of one step or of many) -> a, the part of the gates that the inputs give
Project = Callable[[Any, Array], cells.Gates]
Real = Bool[Array, "time batch"]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def unrolled(
    cell: Cell,
    project: Project,
    reverse: bool,
    weights: Weights,
    carry: Carry,
    inputs: Array,
    is_real: Real | None,
) -> tuple[Float[Array, "time batch features"], Carry]:
    """h after every step, and the last carry; where `is_real` is False, 0 and the carry before.

    Backwards through time only ∂L/∂s_t is computed, s_t being the sums in the gates. Then

        ∂L/∂W = Σ_t x_tᵀ ∂L/∂s_t,    ∂L/∂U = Σ_t h_t-1ᵀ ∂L/∂s_t

    is each one product of two matrices, in place of a sum of T products that is read and written
    at every step.

    Args:
        cell: the kind of cell.
        project: `(weights, inputs) -> a`.
        reverse: from the last step to the first.
        weights: of the cell and of `project`.
        carry: before the first step.
        inputs: of every step, `[time, batch, ...]`.
        is_real: which steps count; all if None.
    """
    return _forwards(cell, project, reverse, weights, carry, inputs, is_real)[0]


def _update(cell: Cell, s: Array, carry: Carry, is_real: Any) -> tuple[Carry, Array]:
    """The carry and the output of one step, entry by entry."""
    new = cell.update(s, carry)
    if is_real is None:
        return new, new[0]
    kept = is_real[:, None]
    new = tuple(jnp.where(kept, n, old) for n, old in zip(new, carry, strict=True))
    return new, jnp.where(kept, new[0], 0.0)


def _forwards(
    cell: Cell, project: Project, reverse: bool, weights: Any, carry: Carry, inputs: Any, real: Any
) -> Any:
    def step(carry: Carry, each: Any) -> Any:
        x, is_real = each
        s = cell.joined(project(weights, x), cells.of_hidden(weights, carry[0]))
        new, output = _update(cell, s, carry, is_real)
        return new, (output, s, carry)

    last, (outputs, *kept) = jax.lax.scan(step, carry, (inputs, real), reverse=reverse)
    return (outputs, last), (weights, inputs, real, *kept)


def _backwards(cell: Cell, project: Project, reverse: bool, kept: Any, slopes: Any) -> Any:
    weights, inputs, real, sums, carries = kept
    back = weights["recurrent_kernel"].T

    def parts(d_s: Array) -> Any:
        gates = jax.ShapeDtypeStruct((*d_s.shape[:-1], back.shape[0]), d_s.dtype)
        return jax.linear_transpose(cell.joined, gates, gates)(d_s)

    def step(slope: Carry, each: Any) -> Any:
        s, carry, is_real, d_output = each
        _, pull = jax.vjp(lambda s, carry: _update(cell, s, carry, is_real), s, carry)
        d_s, (d_h, *others) = pull((slope, d_output))
        return (d_h + parts(d_s)[1] @ back, *others), d_s

    d_outputs, d_last = slopes
    d_carry, d_sums = jax.lax.scan(
        step, d_last, (sums, carries, real, d_outputs), reverse=not reverse
    )
    d_input, d_hidden = parts(_joined(d_sums))
    d_weights, d_inputs = jax.vjp(project, weights, _joined(inputs))[1](d_input)
    h = _joined(carries[0])
    (d_recurrent,) = jax.vjp(lambda w: cells.of_hidden(w, h), weights)[1](d_hidden)
    d_weights = jax.tree.map(jnp.add, d_weights, d_recurrent)
    return d_weights, d_carry, d_inputs.reshape(inputs.shape), None


def _joined(array: Array) -> Array:
    """`[time * batch, ...]`."""
    return array.reshape(-1, *array.shape[2:])


unrolled.defvjp(_forwards, _backwards)
