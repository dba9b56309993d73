"""Edge filters on a photograph, and the same filters found by back-propagation (deck 001).

python experiments/vision/filters.py
python experiments/vision/filters.py --photograph flower

Four filters make edge images of scikit-learn's photograph of a temple; a convolution that begins
at zero is fitted to them on tiles of it. `figures/filters.png` shows both side by side.
"""

import dataclasses
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from dlcourse import analysis, data, learners, losses, models, optim, training
from dlcourse.models.vision.convolution import HORIZONTAL_EDGES, VERTICAL_EDGES, convolve_batch

FILTERS = {
    "vertical edges": VERTICAL_EDGES,
    "horizontal edges": HORIZONTAL_EDGES,
    "Sobel": np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32),
    "Laplace": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32),
}


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Filters learned by regression on the edge image."""

    photograph: Literal["china", "flower"] = "china"
    """Which of scikit-learn's two photographs."""
    learning_rate: float = 0.1
    """Adam's rate; it falls to zero along a cosine."""
    batch_size: int = 32
    """Tiles of 32x32 pixels in a step."""
    epochs: float = 60
    """How often training walks through the tiles."""


class Filters(nn.Module):
    """One 3x3 convolution without a bias that begins at zero: the error is convex in it."""

    @nn.compact
    def __call__(self, x: Any, *, train: bool = False) -> Any:
        zeros = models.initializers.zeros
        return models.Conv(len(FILTERS), padding=0, use_bias=False, kernel_init=zeros)(x)


def experiment(config: Config) -> training.Experiment:
    picture = data.photograph(config.photograph)
    # The grey level that neighbours share would make the error a long valley.
    tiles = data.tiles(picture - picture.mean())
    given = np.stack([*FILTERS.values()], axis=-1)[:, :, None]

    def with_edges(batch: dict[str, Any]) -> dict[str, Any]:
        return batch | {"edges": convolve_batch(batch["image"], given, 1, 0)}

    def draw(state: Any) -> Any:
        kernel = state.params["Conv_0"]["kernel"]
        answers = convolve_batch(picture[None, ..., None], jnp.asarray(kernel), 1, 0)[0]
        return analysis.draw_filters(
            picture, given, np.asarray(kernel), np.asarray(answers), [*FILTERS]
        )

    edges = dataclasses.replace(tiles, prepare=with_edges)
    rate = optim.cosine_decay(config.learning_rate, config.total_steps(edges))
    learner = learners.supervised(
        Filters(),
        losses.squared_error,
        optim.adam(rate),
        target="edges",
        metrics_of={},
        policy=config.policy,
    )
    return training.Experiment(learner, edges, figures={"filters": draw})


if __name__ == "__main__":
    training.main(experiment, Config)
