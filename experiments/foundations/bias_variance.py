"""Under- and overfitting told from the losses, over training size and capacity (decks 001, 002).

python experiments/foundations/bias_variance.py
python experiments/foundations/bias_variance.py --dataset mnist --sizes 100 1000 10000 50000

A sentence of diagnosis for each point of two curves; `bias_variance.png` has the curves, and the
verdict for every size and width. Cross-entropy, mean of seeds 0 to 2, in 45 CPU seconds:

examples  hidden units  train   validation
    1200             1  2.03    2.07        underfitting
    1200           128  0.0014  0.089       good
      30           128  0.0000  1.96        overfitting
"""

import dataclasses
import functools

from dlcourse import analysis, data, learners, losses, models, optim, training
from dlcourse.training.run.interruption import Interruption


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A network with one hidden layer, of every width, on every number of examples."""

    dataset: str = "digits"
    """`digits` is bundled; any other name is a labelled image set prepared by TFDS."""
    sizes: tuple[int, ...] = (30, 100, 300, 1200)
    """How many training examples there are."""
    widths: tuple[int, ...] = (1, 2, 4, 8, 32, 128)
    """How many hidden units the network has."""
    acceptable: float = 0.25
    """Up to which cross-entropy a loss is low."""
    learning_rate: float = 0.01
    """Adam's rate; it falls to zero along a cosine."""
    steps: int | None = 1500
    """How many steps to train, whatever the number of examples."""
    seeds: int = 3
    """How many seeds, from `seed` on, train side by side in one compiled program."""
    evaluate_every: str = "5%"
    """When to measure on the validation split."""
    log_every: str = "5%"
    """How many steps one row of training metrics is the mean of; as often as `evaluate_every`."""


def experiment(images: data.Dataset, config: Config) -> training.Experiment:
    adam = optim.adam(optim.cosine_decay(config.learning_rate, config.total_steps(images)))
    networks = {
        str(width): learners.supervised(
            models.MLP((width, images.num_classes)),
            losses.softmax_cross_entropy,
            adam,
            policy=config.policy,
        )
        for width in config.widths
    }
    return training.Experiment(learners.together(networks), images, f"min loss/{config.widths[-1]}")


def body(config: Config, interruption: Interruption) -> None:
    images = data.images(config.dataset)
    variants = {
        str(size): functools.partial(experiment, images.with_fewer(size)) for size in config.sizes
    }
    results, folder = training.run_variants(
        variants, config, name="bias_variance", interruption=interruption
    )
    curves = {
        (size, width): tuple(
            result.curve(split, f"loss/{width}")[1].mean(axis=1)
            for split in ("train", "validation")
        )
        for size, result in zip(config.sizes, results.values(), strict=True)
        for width in config.widths
    }
    for (size, width), losses_seen in curves.items():
        if width == config.widths[-1] or size == config.sizes[-1]:  # the two curves of the figure
            diagnosis = analysis.diagnose(*losses_seen, config.acceptable)
            print(f"{size} examples, width {width}: {diagnosis.sentence}")
    figure = analysis.draw_bias_variance(curves, config.acceptable)
    figure.savefig(folder / "bias_variance.png", dpi=120)
    print(f"Everything is in {folder}")


if __name__ == "__main__":
    training.launch(body, Config)
