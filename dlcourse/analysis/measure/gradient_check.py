"""Gradient checking: a gradient compared with central differences of the loss."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from dlcourse.errors import UserError

Params = Any

RIGHT, WRONG = 1e-7, 1e-4  # relative differences: correct below the first, wrong above the second


class GradientCheck(NamedTuple):
    """The result of a gradient check.

    Attributes:
        difference: `||g - n|| / (||g|| + ||n||)` over all compared entries; below 1e-7 the
            gradient is correct (deck 001), above 1e-4 it is wrong.
        leaves: the same for each leaf of the parameters, by path. If the true gradient of a leaf
            is zero, rounding errors are compared and the value may be anything up to 1.
        leaf: the path of the leaf with the largest `|g - n|`.
        entry: its index within that leaf; None if directions were compared.
        analytic, numeric: g and n there.
    """

    difference: float
    leaves: dict[str, float]
    leaf: str
    entry: tuple[int, ...] | None
    analytic: float
    numeric: float

    def __str__(self) -> str:
        where = self.leaf + (f"[{', '.join(map(str, self.entry))}]" if self.entry else "")
        return (
            f"relative difference {self.difference:.1e}; worst at {where}: "
            f"{self.analytic:.6g} by the gradient, {self.numeric:.6g} by differences"
        )


def check_gradient(
    loss: Callable[[Params], Array],
    params: Params,
    gradient: Callable[[Params], Params] | None = None,
    *,
    samples: int | None = None,
    key: Key[Array, ""] | None = None,
    epsilon: float = 1e-5,
) -> GradientCheck:
    """Compares a gradient with central differences, coordinate by coordinate (deck 001).

        n_i = (J(theta + epsilon e_i) - J(theta - epsilon e_i)) / (2 epsilon)

    Each coordinate takes two evaluations of the loss. For a large tree, pass `samples` or use
    `check_directions`. A random loss (dropout) must use a fixed key.

    Args:
        loss: from parameters to one float64 number.
        params: any tree of float64 arrays.
        gradient: from parameters to a tree like them; `jax.grad(loss)` by default.
        samples: the number of coordinates of each leaf to draw; all by default.
        key: draws the coordinates.
        epsilon: the step of the differences.

    Raises:
        UserError: parameters or a loss that are not float64, a loss that is not one number, or
            samples without a key.
    """
    leaves, structure, paths = _float64_leaves(loss, params)
    gradients = structure.flatten_up_to((gradient or jax.grad(loss))(params))

    chosen = []
    for i, leaf in enumerate(leaves):
        if samples is None or samples >= leaf.size:
            chosen.append(np.arange(leaf.size))
        elif key is None:
            raise UserError("Sampling coordinates needs a key: pass key=jax.random.key(...).")
        else:
            draw = jax.random.choice(
                jax.random.fold_in(key, i), leaf.size, (samples,), replace=False
            )
            chosen.append(np.asarray(draw))

    g = [np.asarray(gradients[i]).ravel()[chosen[i]] for i in range(len(leaves))]
    n = [
        np.asarray(_along_coordinates(loss, structure, i, leaves, chosen[i], epsilon))
        for i in range(len(leaves))
    ]
    entries = [
        [tuple(map(int, np.unravel_index(j, leaf.shape))) for j in js]
        for leaf, js in zip(leaves, chosen, strict=True)
    ]
    return _report(paths, g, n, entries)


def check_directions(
    loss: Callable[[Params], Array],
    params: Params,
    gradient: Callable[[Params], Params] | None = None,
    *,
    key: Key[Array, ""],
    directions: int = 5,
    epsilon: float = 1e-5,
) -> GradientCheck:
    """Compares a gradient with central differences along random directions within each leaf.

        n = (J(theta + epsilon v) - J(theta - epsilon v)) / (2 epsilon)  against  g . v

    `v` is uniform on the unit sphere of one leaf. So `2 * directions` evaluations of the loss
    check all entries of a leaf, however large it is, and the result names the leaf with the error.

    Args:
        loss, params, gradient, epsilon: as in `check_gradient`.
        key: draws the directions.
        directions: their number, for each leaf.

    Raises:
        UserError: parameters or a loss that are not float64, or a loss that is not one number.
    """
    leaves, structure, paths = _float64_leaves(loss, params)
    gradients = structure.flatten_up_to((gradient or jax.grad(loss))(params))

    compared = []
    for i, gradient_of_leaf in enumerate(gradients):
        keys = jax.random.split(jax.random.fold_in(key, i), directions)
        compared.append(
            _along_directions(loss, structure, i, leaves, gradient_of_leaf, keys, epsilon)
        )
    g, n = ([np.asarray(pair[side]) for pair in compared] for side in (0, 1))
    return _report(paths, g, n, [[None] * directions for _ in leaves])


def _float64_leaves(
    loss: Callable[[Params], Array], params: Params
) -> tuple[list[Array], Any, list[str]]:
    """The leaves of the parameters, their structure and paths; refuses float32."""
    way_out = (
        "check under `with jax.enable_x64(True):` and cast the parameters and the inputs, "
        "`jax.tree.map(lambda p: p.astype('float64'), params)`."
    )
    with_paths, structure = jax.tree.flatten_with_path(params)
    leaves, paths = [], []
    for path, leaf in with_paths:
        leaves.append(jnp.asarray(leaf))
        paths.append(jax.tree_util.keystr(path, simple=True, separator="/") or "params")
        if leaves[-1].dtype != jnp.float64:
            raise UserError(
                f"Gradient checking needs float64, and {paths[-1]} is {leaves[-1].dtype}: {way_out}"
            )
    value = jax.eval_shape(loss, params)
    if value.shape or value.dtype != jnp.float64:
        raise UserError(
            "Gradient checking needs a loss that is one float64 number; this one is "
            f"{value.dtype}{list(value.shape)}. Cast its inputs to float64 and average it."
        )
    return leaves, structure, paths


# Compiled once for each loss, which is often checked with several gradients and steps.


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _along_coordinates(
    loss: Callable, structure: Any, i: int, leaves: list, entries: Any, epsilon: Any
) -> Array:
    """The central differences of leaf i at some of its entries."""

    def difference(j: Array) -> Array:
        unit = jnp.zeros(leaves[i].size).at[j].set(1.0).reshape(leaves[i].shape)
        return _central_difference(loss, leaves, structure, i, unit, epsilon)

    return jax.lax.map(difference, entries)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _along_directions(
    loss: Callable,
    structure: Any,
    i: int,
    leaves: list,
    gradient: Any,
    keys: Array,
    epsilon: Any,
) -> tuple[Array, Array]:
    """g · v and the central difference, for a random direction v of leaf i from each key."""

    def along(key: Array) -> tuple[Array, Array]:
        v = jax.random.normal(key, leaves[i].shape)
        v = v / jnp.linalg.norm(v.ravel())
        return jnp.sum(gradient * v), _central_difference(loss, leaves, structure, i, v, epsilon)

    return jax.lax.map(along, keys)


def _central_difference(
    loss: Callable, leaves: list, structure: Any, i: int, direction: Array, epsilon: Any
) -> Array:
    """`(J(theta + epsilon v) - J(theta - epsilon v)) / 2 epsilon` with v within leaf i."""
    ahead, behind = (
        loss(structure.unflatten([*leaves[:i], leaves[i] + shift, *leaves[i + 1 :]]))
        for shift in (epsilon * direction, -epsilon * direction)
    )
    return (ahead - behind) / (2 * epsilon)


def _report(paths: list[str], g: list, n: list, entries: list[list]) -> GradientCheck:
    worst = max(range(len(g)), key=lambda i: np.max(np.abs(g[i] - n[i]), initial=-1.0))
    at = int(np.argmax(np.abs(g[worst] - n[worst])))
    return GradientCheck(
        difference=_relative_difference(np.concatenate(g), np.concatenate(n)),
        leaves={p: _relative_difference(a, b) for p, a, b in zip(paths, g, n, strict=True)},
        leaf=paths[worst],
        entry=entries[worst][at],
        analytic=float(g[worst][at]),
        numeric=float(n[worst][at]),
    )


def _relative_difference(g: np.ndarray, n: np.ndarray) -> float:
    """`||g - n|| / (||g|| + ||n||)`, and 0 where both are zero."""
    scale = np.linalg.norm(g) + np.linalg.norm(n)
    return float(np.linalg.norm(g - n) / scale) if scale > 0 else 0.0
