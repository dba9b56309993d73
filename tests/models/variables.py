"""Inputs and variables of models that need no compiled program of their own."""

import math
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from dlcourse import parameters
from tests.fixtures.weights import draw


def images(*shape: int) -> jax.ShapeDtypeStruct:
    """A batch of which only the shape matters."""
    return jax.ShapeDtypeStruct(shape, np.float32)


def ones(*shape: int) -> jax.Array:
    """`jnp.ones`, which would compile a program for each shape."""
    return jax.device_put(np.ones(shape, np.float32))


def drawn(model: nn.Module, *inputs: Any) -> dict:
    """Variables for `model.apply`, drawn by NumPy: He's scale for kernels, positive variances."""

    def place(path: tuple, leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        *_, kind = parameters.name(path).split("/")
        values = draw(parameters.name(path), leaf.shape)
        match kind:
            case "kernel":
                return values * np.float32((2 / math.prod(leaf.shape[:-1])) ** 0.5)
            case "scale":
                return 1 + 0.3 * values
            case "var":
                return np.exp(0.3 * values)
        return 0.3 * values

    shapes = jax.eval_shape(model.init, jax.random.key(0), *inputs)
    return jax.tree_util.tree_map_with_path(place, shapes)
