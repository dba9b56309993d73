"""A convolutional network with batch normalisation on handwritten digits (decks 001, 003).

    python experiments/vision/digits_cnn.py
    python experiments/vision/digits_cnn.py --dataset cifar10 --features 32 64 128 --epochs 5

`figures/confusion.png` is the confusion matrix, `mistakes.png` shows the misclassified images with
the highest loss. Test accuracy on digits: 99.1 % for seed 0, in 33 CPU seconds; 99.11 ± 0.22 % for
seeds 0 to 2.
"""

import dataclasses

from dlcourse import analysis, data, learners, models, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet, learners.Classification):
    """A convolutional network with batch normalisation."""

    features: tuple[int, ...] = (32, 64)
    """Channels of each block; each block halves height and width."""
    hidden: int = 64
    """Width of the dense layer after the convolutions."""
    dropout: float = 0.4
    """Dropout rate of the dense layer."""
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
    figures = analysis.classification(learner.apply, images)
    return training.Experiment(learner, images, figures=figures)


if __name__ == "__main__":
    training.main(experiment, Config)
