"""Training better: eleven changes to the training of one network, one at a time (deck 003).

    python experiments/vision/training_better.py
    python experiments/vision/training_better.py --dataset mnist --examples 500 --shift 2
    python experiments/vision/training_better.py --dataset cifar10 --examples 45833 --epochs 20
        --features 32 64 128 --flip --shift 4

Each row makes one change to plain training, and one row makes four of them together. All rows train
for the same number of steps except early stopping. `table.png` shows the test accuracies,
`comparison.png` the validation curves, `augmentations.png` each augmentation of `data.augment` on
photographs.

On 200 digits the changes make no clear difference: all rows lie between 93.1 and 94.8 %, with
standard deviations of 0.6 to 2. On 500 images of MNIST the learning rate is too
high for plain training, and every method that lowers it helps. 5 seeds, 12 minutes of processor
time (measured before the order of examples changed):

    plain                 66.96 ±  7.82 %      label smoothing       71.99 ±  6.86 %
    augmentation          68.95 ±  6.09 %      dropout               68.20 ± 11.40 %
    mixup                 71.73 ±  3.28 %      weight decay          67.91 ±  6.35 %
    cosine schedule       79.34 ±  1.79 %      four together         79.18 ±  2.52 %
    warm-up and cosine    79.54 ±  2.11 %      early stopping        80.17 ±  2.86 %
    clipping              71.90 ±  7.83 %      small initialisation  77.21 ±  5.22 %

The third command needs an accelerator and is not yet measured.
"""

import dataclasses
import functools
from typing import Literal, get_args

from dlcourse import analysis, data, learners, losses, models, optim, training
from dlcourse.data import augment
from dlcourse.learner import Rule
from dlcourse.models.foundations.initializers import he, small_normal

Trick = Literal[
    "plain", "augmentation", "mixup", "cosine schedule", "warm-up and cosine", "clipping",
    "small initialisation", "label smoothing", "dropout", "weight decay", "four together",
]  # fmt: skip
FOUR: set[Trick] = {"augmentation", "cosine schedule", "label smoothing", "weight decay"}


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet):
    """Eleven changes to the training of one convolutional network, one at a time."""

    limits = training.Config.limits | {"smoothing": training.SHARE}

    trick: Trick = "plain"
    """Change that a run makes."""
    examples: int = 200
    """Number of training examples; few, so that there is room for improvement."""
    features: tuple[int, ...] = (16, 32)
    """Channels of each block."""
    shift: int = 1
    """Maximum random shift of augmentation, in pixels."""
    flip: bool = False
    """Let augmentation mirror images; this is wrong for digits."""
    dropout: float = 0.3
    """Dropout rate of the head, for dropout."""
    weight_decay: float | None = 0.05
    """Coefficient of decoupled weight decay, for weight decay."""
    smoothing: float = 0.1
    """Probability that label smoothing spreads over all classes."""
    clip: float | None = 1.0
    """Largest norm of the gradient, for clipping."""
    warmup: str | None = "10%"
    """Duration of the warm-up, for warm-up and cosine."""
    learning_rate: float = 1e-2
    schedule: optim.ScheduleName = "constant"
    """Course of the learning rate without the tricks that change it."""
    batch_size: int = 50
    """Examples per step, over all devices."""
    epochs: float = 40
    """Passes over the train split."""
    early: int = 5
    """Patience of early stopping, in evaluations."""
    seeds: int = 5
    """Number of seeds, counted from `seed`; they train side by side in one compiled program."""
    evaluate_every: str = "5%"
    """Interval between evaluations on the validation split."""


def rule(config: Config, on: set[Trick], images: data.Dataset) -> Rule:
    """The optimizer with the tricks that change it."""
    changed = dataclasses.replace(
        config,
        schedule="cosine" if on & {"cosine schedule", "warm-up and cosine"} else config.schedule,
        warmup=config.warmup if "warm-up and cosine" in on else None,
        clip=config.clip if "clipping" in on else None,
        weight_decay=config.weight_decay if "weight decay" in on else None,
    )
    return changed.rule(images)


def experiment(config: Config) -> training.Experiment:
    images = config.images().with_fewer(config.examples)
    on = FOUR if config.trick == "four together" else {config.trick}
    model = models.CNN(
        config.features,
        images.num_classes,
        dropout=config.dropout if "dropout" in on else 0.0,
        kernel_init=small_normal if "small initialisation" in on else he,
    )
    smoothing = config.smoothing if "label smoothing" in on else 0.0
    loss = functools.partial(losses.softmax_cross_entropy, smoothing=smoothing)
    descent = rule(config, on, images)
    learner = learners.supervised(model, loss, descent)
    if "augmentation" in on:
        moves = [augment.flip] if config.flip else []
        shift = functools.partial(augment.crop, padding=config.shift)
        learner = learners.augmented(learner, augment.per_example(augment.compose(*moves, shift)))
    if "mixup" in on:  # steps on mixed images and soft labels, evaluation on the original ones
        soft = learners.supervised(model, losses.soft_cross_entropy, descent, metrics_of={})
        mixup = functools.partial(augment.mixup, num_classes=images.num_classes)
        learner = learner._replace(step=learners.augmented(soft, mixup).step)
    return training.Experiment(learner, images)


def variants(config: Config) -> dict[str, Config]:
    rows = {trick: dataclasses.replace(config, trick=trick) for trick in get_args(Trick)}
    return rows | {"early stopping": dataclasses.replace(config, patience=config.early)}


def report(runs: training.Runs) -> analysis.Report:
    config, curves = runs.config, runs.curves("validation", "accuracy")
    accuracy = runs.final("test", "accuracy")
    title = f"One change at a time on {config.dataset}, {config.examples} training images"
    return analysis.Report(
        analysis.Table.of_metric(title, "test accuracy", accuracy, diverged=runs.diverged),
        {
            "comparison": analysis.draw_variants(curves, "validation accuracy"),
            "augmentations": analysis.show_augmentations(training.stream(config.seed, "augment")),
        },
    )


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
