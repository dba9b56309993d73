"""A convolutional network with batch normalisation on handwritten digits (decks 001, 003).

python experiments/vision/digits_cnn.py
python experiments/vision/digits_cnn.py --dataset cifar10 --features 32 64 128 --epochs 5
"""

import dataclasses

from dlcourse import analysis, data, learners, losses, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A convolutional network with batch normalisation."""

    dataset: str = "digits"
    """`digits` is bundled; any other name is a labelled image set prepared by TFDS."""
    features: tuple[int, ...] = (32, 64)
    """The channels of each block; each block halves the image."""
    hidden: int = 64
    """The width of the dense layer after the convolutions."""
    dropout: float = 0.4
    """The share of that layer that is dropped in training."""
    learning_rate: float = 3e-3
    """Adam's rate; it falls to zero along a cosine."""
    batch_size: int = 64
    """Examples in a step, over all devices together."""
    epochs: float = 30
    """How often training walks through the train split."""


def experiment(config: Config) -> training.Experiment:
    images = data.images(config.dataset, stream=config.stream)
    model = models.CNN(config.features, images.num_classes, config.hidden, config.dropout)
    learner = learners.supervised(
        model,
        losses.softmax_cross_entropy,
        optim.adam(optim.cosine_decay(config.learning_rate, config.total_steps(images))),
        policy=config.policy,
    )
    predict = learners.predictor(model, policy=config.policy)
    return training.Experiment(learner, images, figures=analysis.classification(predict, images))


if __name__ == "__main__":
    training.main(experiment, Config)
