"""Six activations in the same network, trained side by side (decks 001 and 003).

python experiments/foundations/activations.py
python experiments/foundations/activations.py --dataset mnist --hidden 256 128 --epochs 5
    --batch-size 100

`figures/activations.png` draws all nine with their derivatives, `curves.png` what each of the
six learns, `saturation.png` how many units of each layer no gradient can move. Test accuracy in %,
seed 0, in the order of `HIDDEN`: digits 97.1, 95.3, 95.3, 10.4, 96.9, 97.3 in 20 CPU
seconds; MNIST 96.6, 97.2, 97.2, 91.3, 96.6, 96.4. Four layers of sigmoid fade the gradient away.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from dlcourse import analysis, data, learners, losses, models, optim, training
from dlcourse.models.foundations.activations import ACTIVATIONS

HIDDEN = ("elu", "leaky_relu", "relu", "sigmoid", "swish", "tanh")


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Multi-layer perceptrons that differ in their activation alone."""

    dataset: str = "digits"
    """`digits` is bundled; any other name is a labelled image set prepared by TFDS."""
    hidden: tuple[int, ...] = (64, 64, 64, 64)
    """The width of each hidden layer."""
    learning_rate: float = 0.1
    """The rate of momentum."""
    batch_size: int = 60
    """Examples in a step, over all devices together."""
    epochs: float = 50
    """How often training walks through the train split."""


def experiment(config: Config) -> training.Experiment:
    images = data.images(config.dataset, stream=config.stream)
    networks = {
        name: models.MLP(
            (*config.hidden, images.num_classes),
            activation=ACTIVATIONS[name].function,
            kernel_init=models.initializers.he,
        )
        for name in HIDDEN
    }
    loss, rule = losses.softmax_cross_entropy, optim.momentum(config.learning_rate)
    learner = learners.together(
        {
            name: learners.supervised(network, loss, rule, policy=config.policy)
            for name, network in networks.items()
        }
    )

    def saturation(after: Any) -> Any:
        batch = jax.tree.map(jnp.asarray, images.read(images.splits["train"][:1000]))
        batch = images.prepare(batch)
        before = learner.init(training.stream(config.seed, "init"), batch)

        def measure(name: str, state: Any) -> analysis.Signal:
            return analysis.signal(
                networks[name],
                state.params,
                batch["image"],
                lambda logits: jnp.mean(loss(logits, batch["label"])),
                ACTIVATIONS[name],
            )

        columns = {
            when: {name: measure(name, states[name]) for name in HIDDEN}
            for when, states in {"before training": before, "after training": after}.items()
        }
        return analysis.draw_signals(columns, ("dead", "saturated", "gradient_variance"))

    figures = {"activations": lambda state: analysis.draw_activations(), "saturation": saturation}
    return training.Experiment(learner, images, "max accuracy/relu", figures)


if __name__ == "__main__":
    training.main(experiment, Config)
