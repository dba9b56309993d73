"""The classifier in whose features samples and images are compared.

    python experiments/generative/extractor.py
    python experiments/generative/extractor.py --dataset mnist --epochs 6

`figures/extractor.npz` holds its weights: the path of such a file, or the name of a set whose
extractor is bundled, is what `--extractor` of the generative experiments takes.
"""

import dataclasses

from dlcourse import analysis, data, learners, models, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet, learners.Classification):
    """A convolutional network whose activations describe an image."""

    limits = training.Config.limits | {"hidden": training.SIZE}

    features: tuple[int, ...] = (16, 32)
    """Channels of each block, which halves height and width; each gives one feature."""
    hidden: int = 32
    """Width of the hidden layer."""
    dropout: float = 0.2
    """Dropout rate of the hidden layer."""
    learning_rate: float = 3e-3
    batch_size: int = 64
    """Examples per step, over all devices."""
    epochs: float = 30
    """Passes over the train split."""


def experiment(config: Config) -> training.Experiment:
    images = config.images()
    model = models.CNN(config.features, images.num_classes, config.hidden, config.dropout)
    learner = learners.supervised(
        model, config.cross_entropy(images), config.rule(images), metrics_of=config.metrics
    )
    shape = images.shapes["image"]
    figures = analysis.classification(learner.apply, images)
    figures["extractor"] = lambda state: analysis.extractor_arrays(state, shape)
    return training.Experiment(learner, images, figures=figures)


if __name__ == "__main__":
    training.main(experiment, Config)
