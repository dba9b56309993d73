"""The worked example of deck 002: a 2-2-1 network, one example, one step of back-propagation.

    python experiments/foundations/worked_network.py
    python experiments/foundations/worked_network.py --steps 20

Inputs 2 and 3, target 1, weights .11 .21 .12 .08 .14 .15, learning rate .05. The network predicts
0.191 with error 0.327, and after one step 0.256. `figures/network.png` shows every number of both
forward passes. 6 CPU seconds.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import analysis, data, learners, models, training
from dlcourse.models.foundations.activations import ACTIVATIONS
from dlcourse.models.foundations.backpropagation import Layer, forward, half_squared_error


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """The 2-2-1 network of deck 002, trained by the recurrences of deck 001."""

    learning_rate: float = 0.05
    """Learning rate, a in the deck."""
    batch_size: int = 1
    """Examples per step: the only one."""
    steps: int | None = 1
    """Number of training steps."""


def layers(key: jax.Array) -> list[Layer]:
    """The deck's weights. It has no biases: they are zero and not trained."""
    return [
        Layer(jnp.array([[0.11, 0.21], [0.12, 0.08]]), jnp.zeros((2, 1))),
        Layer(jnp.array([[0.14, 0.15]]), jnp.zeros((1, 1))),
    ]


def experiment(config: Config) -> training.Experiment:
    x, y = np.array([[2.0, 3.0]], np.float32), np.array([[1.0]], np.float32)
    splits = {split: np.arange(1) for split in ("train", "validation", "test")}
    linear = ACTIVATIONS["linear"]
    learner = learners.backpropagation(
        layers,
        config.learning_rate,
        hidden=linear,
        output=models.activations.linear,
        cost=half_squared_error,
        biases=False,
        inputs="features",
        target="target",
    )

    def network(state: Any) -> Any:
        passes = {}
        for when, weights in {
            "before": layers(jax.random.key(config.seed)),
            f"after step {config.total_steps(example)}": state.params,
        }.items():
            passed = forward(weights, jnp.asarray(x.T), linear, models.activations.linear)
            error = half_squared_error(passed.Z[-1], jnp.asarray(y.T))
            title = f"{when}: prediction {passed.A[-1].item():.3f}, error {error:.3f}"
            passes[title] = ([layer.W for layer in weights], passed.A)
        return analysis.draw_passes(passes)

    example = data.Dataset("deck 002's example", {"features": x, "target": y}, splits)
    return training.Experiment(learner, example, "min cost", {"network": network})


if __name__ == "__main__":
    training.main(experiment, Config)
