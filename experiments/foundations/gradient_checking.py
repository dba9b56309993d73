"""Gradient checking (deck 001): a correct gradient, and two with a planted mistake.

    python experiments/foundations/gradient_checking.py

The network is trained first, so that the gradient is checked at trained weights.
`figures/check.png` draws the relative difference between the gradient and central differences
against their step ε. The error of rounding dominates on the left, the error of curvature on the
right. In between, the correct gradient falls below 1e-7, and the wrong ones do not. Seed 0: 1.2e-10
at the best ε, 1e-5; 0.76 and 0.95 for the wrong gradients, whose wrong leaf is named. 28 CPU
seconds.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from dlcourse import analysis, data, learners, losses, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Checks of the gradient of a small network, correct and with planted mistakes."""

    hidden: tuple[int, ...] = (16,)
    """Width of each hidden layer; the activation is tanh, so that the loss is smooth."""
    learning_rate: float = 1e-2
    schedule: optim.ScheduleName = "constant"
    epochs: float = 3
    """Passes over the train split."""


def experiment(config: Config) -> training.Experiment:
    images = data.images("digits", stream=config.stream)
    model = models.MLP((*config.hidden, images.num_classes), activation=jnp.tanh)
    rule = config.rule(images)
    learner = learners.supervised(model, losses.softmax_cross_entropy, rule)
    key = training.stream(config.seed, "directions")

    def check(state: Any) -> Any:
        with jax.enable_x64(True):
            batch = images.read(images.splits["train"][:50])
            x = jnp.asarray(batch["image"], jnp.float64)
            params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), state.params)

            def cost(params: Any) -> Any:
                logits = model.apply({"params": params}, x)
                return jnp.mean(losses.softmax_cross_entropy(logits, jnp.asarray(batch["label"])))

            def with_mistake(factor: float) -> Any:
                """The gradient with one leaf multiplied by a factor."""

                def gradient(params: Any) -> Any:
                    correct = jax.grad(cost)(params)
                    wrong = correct["Dense_0"] | {"bias": factor * correct["Dense_0"]["bias"]}
                    return correct | {"Dense_0": wrong}

                return jax.jit(gradient)

            gradients = {
                "jax.grad": jax.jit(jax.grad(cost)),
                "sign error in one bias": with_mistake(-1.0),
                "1/m missing in one bias": with_mistake(float(len(x))),
            }
            steps = [10.0**-power for power in range(1, 11)]
            curves = {
                name: [
                    analysis.check_directions(cost, params, gradient, key=key, epsilon=epsilon)
                    for epsilon in steps
                ]
                for name, gradient in gradients.items()
            }
        return analysis.draw_checks(steps, curves)

    return training.Experiment(learner, images, figures={"check": check})


if __name__ == "__main__":
    training.main(experiment, Config)
