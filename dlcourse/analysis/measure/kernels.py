"""Statistics of a model's kernels: the weights that regularisers act on."""

import jax
import numpy as np
from jaxtyping import Float, PyTree

from dlcourse import parameters

ZERO = 1e-3  # smaller weights have no visible effect


def kernel_entries(params: PyTree) -> Float[np.ndarray, " weights"]:
    """The entries of all kernels of a parameter tree in one vector, without biases and scales."""
    chosen = jax.tree.map(
        lambda counts, leaf: np.ravel(leaf) if counts else np.zeros(0),
        parameters.kernels(params),
        params,
    )
    return np.concatenate(jax.tree.leaves(chosen)).astype(float)


def share_of_zeros(weights: Float[np.ndarray, " weights"]) -> float:
    """The share of weights with `|w| < 0.001`: gradient steps seldom reach 0 exactly."""
    return float(np.mean(np.abs(weights) < ZERO))
