"""Edge filters on a photograph, and the same filters learned by back-propagation (deck 001).

    python experiments/vision/filters.py
    python experiments/vision/filters.py --photograph flower

Four filters compute edge images of scikit-learn's photograph of a temple. A convolution that starts
at zero is fitted to these edge images on tiles of the photograph. `figures/filters.png` shows the
given and the learned filters side by side. 15 CPU seconds.
"""

import dataclasses
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from dlcourse import analysis, data, learners, losses, models, training
from dlcourse.models.vision.convolution import HORIZONTAL_EDGES, VERTICAL_EDGES, convolve_batch

FILTERS = {
    "vertical edges": VERTICAL_EDGES,
    "horizontal edges": HORIZONTAL_EDGES,
    "Sobel": np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32),
    "Laplace": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32),
}


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Filters learned by regression on edge images."""

    photograph: Literal["china", "flower"] = "china"
    """Photograph of scikit-learn."""
    learning_rate: float = 0.1
    batch_size: int = 32
    """Tiles of 32x32 pixels per step."""
    epochs: float = 60
    """Passes over the tiles."""


class Filters(nn.Module):
    """One 3x3 convolution without bias; it may start at zero, because the error is convex in it."""

    @nn.compact
    def __call__(self, x: Any, *, train: bool = False) -> Any:
        zeros = models.initializers.zeros
        return models.Conv(len(FILTERS), padding=0, use_bias=False, kernel_init=zeros)(x)


def experiment(config: Config) -> training.Experiment:
    picture = data.photograph(config.photograph)
    # Without the mean grey level, which all pixels share, the regression is well conditioned.
    tiles = data.tiles(picture - picture.mean())
    given = np.stack([*FILTERS.values()], axis=-1)[:, :, None]

    def with_edges(batch: dict[str, Any]) -> dict[str, Any]:
        return batch | {"edges": convolve_batch(batch["image"], given, 1, 0)}

    def draw(state: Any) -> Any:
        kernel = state.weights["Conv_0"]["kernel"]
        answers = convolve_batch(picture[None, ..., None], jnp.asarray(kernel), 1, 0)[0]
        return analysis.draw_filters(
            picture, given, np.asarray(kernel), np.asarray(answers), [*FILTERS]
        )

    edges = dataclasses.replace(tiles, prepare=with_edges)
    learner = learners.supervised(
        Filters(),
        losses.squared_error,
        config.rule(edges),
        target="edges",
        metrics_of={},
    )
    return training.Experiment(learner, edges, figures={"filters": draw})


if __name__ == "__main__":
    training.main(experiment, Config)
