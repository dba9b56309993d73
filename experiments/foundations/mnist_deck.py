"""Deck 003's network for handwritten digits, with its weights drawn as lines.

    python experiments/foundations/mnist_deck.py
    python experiments/foundations/mnist_deck.py --dataset mnist --epochs 12

`figures/network*.png` draw every weight as a line, for one image, at several steps. Positive
weights are red, negative ones blue. A line is faint if its weight is small or the neuron before it
is inactive. Test accuracy (MNIST measured before the order of examples changed); the default takes
30 CPU seconds:

                          gradient descent          Adam
digits, seed 0                      94.0 %        96.9 %
MNIST, 12 epochs, seeds 0-2  94.4 ± 0.2 %  96.5 ± 0.1 %
"""

import dataclasses
from typing import Any

from dlcourse import analysis, data, learners, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet, learners.Classification):
    """Deck 003's network of three layers, with 52,650 weights on MNIST."""

    hidden: tuple[int, ...] = (64, 32)
    """Width of each hidden layer."""
    optimizer: optim.Optimizer = "sgd"
    """Optimizer. The deck gives only a learning rate; elsewhere it uses gradient descent."""
    learning_rate: float = 0.01
    schedule: optim.ScheduleName = "constant"
    batch_size: int = 64
    """Examples per step, over all devices."""
    epochs: float = 200
    """Passes over the train split; the deck makes 12 on MNIST."""
    evaluate_every: str = "25%"
    """Interval between evaluations on the validation split and drawings of the network."""


def experiment(config: Config) -> training.Experiment:
    images = config.images()
    model = models.MLP((*config.hidden, images.num_classes))
    learner = learners.supervised(
        model, config.cross_entropy(images), config.rule(images), metrics_of=config.metrics
    )
    batch = images.prepare(images.read(images.splits["test"][:1]))

    def inside(state: Any) -> analysis.Connections:
        return analysis.connections(model, {"params": state.weights}, batch["image"][0])

    def network(state: Any) -> Any:
        return analysis.draw_connections({"": inside(state)}, images.classes)

    def before_and_after(state: Any) -> Any:
        untrained = learner.init(training.stream(config.seed, "init"), batch)
        networks = {"before training": inside(untrained), "after training": inside(state)}
        return analysis.draw_connections(networks, images.classes)

    return training.Experiment(
        learner,
        images,
        figures=analysis.classification(learner.apply, images) | {"network": before_and_after},
        snapshots={"network": network},
    )


if __name__ == "__main__":
    training.main(experiment, Config)
