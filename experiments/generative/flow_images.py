"""A multi-scale normalizing flow on images, in bits per dimension (deck 003).

    python experiments/generative/flow_images.py
"""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from dlcourse import analysis, data, learners, models, optim, training
from dlcourse.learners.generative.sampled import pixels


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A normalizing flow with couplings, squeezes and dequantisation."""

    limits = training.Config.limits | {
        "levels": (2, 65_536), "depth": (0, 100), "couplings": (0, 100),
        "dequantisation": (0, 100), "draws": (1, 10_000),
    }  # fmt: skip

    dataset: str = "digits"
    """`digits`, which is bundled, or the name of a labelled image set prepared by TFDS."""
    levels: int | None = None
    """Grey levels of a pixel, to be checked; by default those of the set."""
    features: tuple[int, ...] = (32, 32)
    """Channels of the networks in the couplings, at each scale."""
    couplings: tuple[int, ...] = (2, 4)
    """Couplings at each scale."""
    depth: int = 1
    """Gated layers of each network."""
    dequantisation: int = 2
    """Couplings of the variational dequantisation; 0 for uniform noise."""
    draws: int = 8
    """Draws of noise for the importance-weighted bound in evaluation."""
    learning_rate: float = 2e-3
    schedule: optim.ScheduleName = "cosine"
    clip: float | None = 1.0
    batch_size: int = 64
    """Examples per step, over all devices."""
    epochs: float = 60
    """Passes over the train split."""
    evaluate_every: str = "5%"
    """Interval between evaluations on the validation split."""


def experiment(config: Config) -> training.Experiment:
    images = data.images(config.dataset, stream=config.stream)
    model = models.image_flow(
        images.shapes["image"],
        data.levels(images, config.levels),
        features=config.features,
        couplings=config.couplings,
        depth=config.depth,
        dequantisation=config.dequantisation,
    )
    learner = learners.flow(model, config.rule(images), draws=config.draws)
    return training.Experiment(learner, images)


if __name__ == "__main__":
    training.main(experiment, Config)
