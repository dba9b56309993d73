"""Models with latents: reconstructions, walks between images, and codes in the plane."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from dlcourse.analysis.draw.latents import draw_codes, draw_rows
from dlcourse.analysis.draw.samples import draw_grid
from dlcourse.analysis.inspect.predictions import predictions
from dlcourse.analysis.measure.components import principal_components
from dlcourse.data import Dataset
from dlcourse.learner import Apply, State

Figure = Callable[[State], Any]
SPAN, SIDE = 3.0, 16  # of the plane of latents that is decoded
FIRST = 100  # test images of which some are shown


def show_reconstructions(apply: Apply, images: Dataset, count: int = 12) -> Figure:
    """The first test images, and their reconstructions below.

    Args:
        apply: that of a learner which gives `{"latent", "reconstruction"}` of images.
        images: the data set.
        count: how many.
    """

    def show(state: State) -> Any:
        batch = _first(images)
        found = jax.jit(apply)(state, batch, jax.random.key(0))["reconstruction"]
        rows = {"image": batch["image"], "reconstruction": found}
        return draw_rows({name: np.asarray(each)[:count] for name, each in rows.items()})

    return show


def show_walks(apply: Apply, images: Dataset, rows: int = 6, steps: int = 11) -> Figure:
    """Walks between the codes of two test images of different classes, decoded.

        x(s) = decoder((1 - s) z_1 + s z_2),    s = 0, ..., 1

    Args:
        apply: as in `show_reconstructions`, and it decodes `latent`.
        images: a labelled set.
        rows: walks.
        steps: images of a walk, its ends included.
    """

    def show(state: State) -> Any:
        batch = _first(images)
        labels = np.asarray(batch["label"])
        others = [
            next(i for i in range(rows * (row + 1), FIRST) if labels[i] != labels[row])
            for row in range(rows)
        ]
        run, key = jax.jit(apply), jax.random.key(0)
        codes = np.asarray(run(state, batch, key)["latent"])
        share = np.linspace(0, 1, steps, dtype=np.float32)[None, :, None]
        walks = (1 - share) * codes[:rows, None] + share * codes[others, None]
        found = run(state, {"latent": walks.reshape(rows * steps, -1)}, key)
        return draw_grid(np.asarray(found), steps)

    return show


def show_codes(apply: Apply, images: Dataset, *, plane: bool = True) -> Figure:
    """The codes of the test images, in the plane, each as its class.

    Of more than two coordinates, the first two principal components are drawn. Of two, the plane is
    drawn too, decoded.

    Args:
        apply: as in `show_reconstructions`.
        images: a labelled set.
        plane: whether the learner decodes `latent`.
    """

    def show(state: State) -> Any:
        found, labels = predictions(apply, state, images)
        codes = found["latent"]
        decoded = decoded_plane(apply, state) if plane and codes.shape[1] == 2 else None
        return draw_codes(_in_plane(codes), labels, images.classes, decoded, SPAN)

    return show


def decoded_plane(
    apply: Apply, state: State
) -> Float[np.ndarray, "rows columns height width channels"]:
    """The images of a square grid of two latents from -3 to 3, the lowest row first."""
    axis = SPAN * (2 * (np.arange(SIDE) + 0.5) / SIDE - 1)
    second, first = np.meshgrid(axis, axis, indexing="ij")
    z = np.stack([first, second], axis=-1).reshape(-1, 2).astype(np.float32)
    found = np.asarray(jax.jit(apply)(state, {"latent": z}, jax.random.key(0)))
    return found.reshape(SIDE, SIDE, *found.shape[1:])


def _first(images: Dataset) -> dict[str, Any]:
    """Test images; always as many, so that figures share a program."""
    return images.prepare(images.read(images.splits["test"][:FIRST]))


def _in_plane(codes: Float[np.ndarray, "n latents"]) -> Float[np.ndarray, "n 2"]:
    """The first two principal components; of one coordinate, itself and 0."""
    if codes.shape[1] <= 2:
        return np.pad(codes, ((0, 0), (0, 2 - codes.shape[1])))
    return principal_components(codes).encode(codes, 2)
