"""An experiment file without figures, for tests of the command line.

python tests/plain.py --steps 100
"""

import dataclasses

from dlcourse import data, learners, losses, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A multi-layer perceptron on handwritten digits."""

    hidden: tuple[int, ...] = (8,)
    """The width of each hidden layer."""
    learning_rate: float = 1e-3
    """Adam's rate."""


def experiment(config: Config) -> training.Experiment:
    digits = data.images("digits", stream=config.stream)
    model = models.MLP((*config.hidden, digits.num_classes), dropout=0.2)
    rule = config.rule_of(optim.adam(config.learning_rate))
    return training.Experiment(
        learners.supervised(model, losses.softmax_cross_entropy, rule), digits
    )


if __name__ == "__main__":
    training.main(experiment, Config)
