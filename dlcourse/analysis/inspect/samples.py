"""Samples of a generative model."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from dlcourse.analysis.draw.samples import draw_grid
from dlcourse.learner import Batch, State


def sample_grid(
    apply: Callable[[State, Batch, Any], jax.Array], latent: int, *, seed: int = 0, rows: int = 8
) -> Callable[[Any], Any]:
    """A figure of `rows`² samples, from the same latents at every call.

    Args:
        apply: the learner's forward pass, `(state, {"latent": z}, key) -> images`, with z of shape
            `[samples, latent]` and images `[samples, height, width, channels]` in [0, 1].
        latent: the dimension of z, standard normal.
        seed: draws the latents.
        rows: of the grid.

    Returns:
        `state -> figure`, for `training.Experiment`.
    """
    forward = jax.jit(apply)

    def draw(state: Any) -> Any:
        key = jax.random.key(seed)
        z = jax.random.normal(key, (rows * rows, latent))
        images = forward(state, {"latent": z}, jax.random.fold_in(key, 1))
        return draw_grid(np.asarray(images), rows)

    return draw
