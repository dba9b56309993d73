"""Learning-rate schedules on the same network, trained side by side (decks 001 and 003).

python experiments/foundations/rates.py

`figures/schedules.png` draws each rate over the run, `curves.png` what each of them learns. Test
accuracy and loss on digits, seed 0, in 15 CPU seconds:

constant            97.1 %  0.094        step                97.3 %  0.092
time decay          94.7 %  0.173        cosine              97.1 %  0.095
staircase           96.9 %  0.105        warm-up and cosine  96.9 %  0.093
exponential         95.1 %  0.167        one-cycle           97.1 %  0.092

The two that fall at once end before they have learned; 450 images do not tell the others apart.
"""

import dataclasses

import jax.numpy as jnp

from dlcourse import analysis, data, learners, losses, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """The same perceptron under eight schedules of the learning rate."""

    dataset: str = "digits"
    """`digits` is bundled; any other name is a labelled image set prepared by TFDS."""
    hidden: tuple[int, ...] = (64, 64)
    """The width of each hidden layer."""
    learning_rate: float = 0.5
    """The rate of gradient descent that each schedule begins at, or rises to."""
    epochs: float = 30
    """How often training walks through the train split."""
    clip_norm: float = 1.0
    """The norm that gradients are clipped to."""


def schedules(rate: float, steps: int, epoch: int) -> dict[str, optim.Schedule]:
    """The decks' schedules over a run of `steps`."""
    tenth = max(1, steps // 10)
    return {
        "constant": lambda step: jnp.full_like(step, rate, dtype=jnp.float32),
        "time decay": optim.staircase_decay(rate, 1.0, epoch),
        "staircase": optim.staircase_decay(rate, 1.0, 5 * epoch),
        "exponential": optim.exponential_decay(rate, 0.5, tenth),
        "step": optim.step_decay(rate, [steps // 2, 3 * steps // 4]),
        "cosine": optim.cosine_decay(rate, steps),
        "warm-up and cosine": optim.warmup(optim.cosine_decay(rate, steps - tenth), tenth),
        "one-cycle": optim.one_cycle(rate, steps),
    }


def experiment(config: Config) -> training.Experiment:
    images = data.images(config.dataset, stream=config.stream)
    model = models.MLP((*config.hidden, images.num_classes))
    steps = config.total_steps(images)
    rules = schedules(config.learning_rate, steps, config.steps_of(1, images))
    learner = learners.together(
        {
            name: learners.supervised(
                model,
                losses.softmax_cross_entropy,
                optim.chain(optim.clip_by_global_norm(config.clip_norm), optim.sgd(rule)),
                policy=config.policy,
            )
            for name, rule in rules.items()
        }
    )
    return training.Experiment(
        learner,
        images,
        "min loss/cosine",
        figures={"schedules": lambda state: analysis.draw_schedules(rules, steps)},
    )


if __name__ == "__main__":
    training.main(experiment, Config)
