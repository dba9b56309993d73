"""Learning-rate schedules on the same network, trained side by side (decks 001 and 003).

    python experiments/foundations/rates.py

`figures/schedules.png` draws the schedules, `curves.png` the training curves. Test accuracy and
loss on digits, seed 0, in 29 CPU seconds:

constant            96.9 %  0.091        step                96.7 %  0.089
time decay          95.1 %  0.171        cosine              96.9 %  0.093
staircase           96.9 %  0.102        warm-up and cosine  96.9 %  0.097
exponential         95.1 %  0.166        one-cycle           96.9 %  0.091

Time decay and exponential decay lower the rate too early. The other differences are below the
resolution of 450 test images.
"""

import dataclasses

from dlcourse import analysis, data, learners, losses, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet):
    """The same multi-layer perceptron under eight schedules of the learning rate."""

    hidden: tuple[int, ...] = (64, 64)
    """Width of each hidden layer."""
    learning_rate: float = 0.5
    epochs: float = 30
    """Passes over the train split."""
    clip: float | None = 1.0


def schedules(rate: float, steps: int, epoch: int) -> dict[str, optim.Schedule]:
    """The decks' schedules over a run of `steps`."""
    tenth = max(1, steps // 10)
    return {
        "constant": optim.constant(rate),
        "time decay": optim.staircase_decay(rate, 1.0, epoch),
        "staircase": optim.staircase_decay(rate, 1.0, 5 * epoch),
        "exponential": optim.exponential_decay(rate, 0.5, tenth),
        "step": optim.step_decay(rate, [steps // 2, 3 * steps // 4]),
        "cosine": optim.cosine_decay(rate, steps),
        "warm-up and cosine": optim.warmup(optim.cosine_decay(rate, steps - tenth), tenth),
        "one-cycle": optim.one_cycle(rate, steps),
    }


def experiment(config: Config) -> training.Experiment:
    images = config.images()
    model = models.MLP((*config.hidden, images.num_classes))
    steps = config.total_steps(images)
    rates = schedules(config.learning_rate, steps, config.steps_of(1, images))
    learner = learners.side_by_side(
        {
            name: learners.supervised(
                model,
                losses.softmax_cross_entropy,
                config.rule_of(optim.optimizer("sgd", rate, clip=config.clip)),
            )
            for name, rate in rates.items()
        }
    )
    return training.Experiment(
        learner,
        images,
        figures={"schedules": lambda state: analysis.draw_schedules(rates, steps)},
    )


if __name__ == "__main__":
    training.main(experiment, Config)
