"""Grids of images: samples of a generative model, reconstructions, batches."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def draw_grid(images: np.ndarray, columns: int, title: str = "") -> Any:
    """Images `[n, height, width, channels]` in [0, 1] as one picture, row by row."""
    from matplotlib.figure import Figure

    images = np.clip(np.asarray(images), 0.0, 1.0)
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(0.8 * columns, 0.8 * rows + 0.4 * bool(title)), layout="constrained")
    if title:
        figure.suptitle(title, fontsize=10)
    panels = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for panel in panels:
        panel.axis("off")
    for panel, image in zip(panels, images, strict=False):
        panel.imshow(image.squeeze(), cmap="gray" if image.shape[-1] == 1 else None, vmin=0, vmax=1)
    return figure


def sample_grid(
    sample: Callable[[Any, jax.Array], jax.Array], latent: int, *, seed: int = 0, rows: int = 8
) -> Callable[[Any], Any]:
    """A figure of `rows`² samples from the same latents each time, for `training.Experiment`."""

    def draw(state: Any) -> Any:
        z = jax.random.normal(jax.random.key(seed), (rows * rows, latent))
        return draw_grid(np.asarray(jax.jit(sample)(state, z)), rows)

    return draw
