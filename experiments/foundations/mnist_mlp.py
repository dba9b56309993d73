"""A multi-layer perceptron on handwritten digits (deck 004, ISLR figure 10.4 and table 10.1).

python experiments/foundations/mnist_mlp.py
python experiments/foundations/mnist_mlp.py --dataset mnist --epochs 30 --seeds 3

`figures/confusion.png` counts what is taken for what, `mistakes.png` shows the worst. Test accuracy
on digits: 98.0 % for seed 0, in 10 CPU seconds; 97.85 ± 0.26 % for seeds 0 to 2.
"""

import dataclasses

from dlcourse import analysis, data, learners, losses, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A multi-layer perceptron on handwritten digits."""

    dataset: str = "digits"
    """`digits` is bundled; any other name is a labelled image set prepared by TFDS."""
    hidden: tuple[int, ...] = (256, 128)
    """The width of each hidden layer."""
    dropout: float = 0.4
    """The share of each hidden layer that is dropped in training."""
    learning_rate: float = 1e-3
    """Adam's rate."""
    batch_size: int = 128
    """Examples in a step, over all devices together."""
    epochs: float = 60
    """How often training walks through the train split."""


def experiment(config: Config) -> training.Experiment:
    images = data.images(config.dataset, stream=config.stream)
    model = models.MLP((*config.hidden, images.num_classes), dropout=config.dropout)
    learner = learners.supervised(
        model,
        losses.softmax_cross_entropy,
        optim.adam(config.learning_rate),
        policy=config.policy,
    )
    predict = learners.predictor(model, policy=config.policy)
    return training.Experiment(learner, images, figures=analysis.classification(predict, images))


if __name__ == "__main__":
    training.main(experiment, Config)
