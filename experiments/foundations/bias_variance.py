"""Diagnosis of bias and variance from losses, by training size and width (decks 001, 002).

    python experiments/foundations/bias_variance.py
    python experiments/foundations/bias_variance.py --dataset mnist --sizes 100 1000 10000 50000

Each size and width is diagnosed as underfitting, overfitting or good; the sentences printed are
those of the largest network and of the largest train split. `bias_variance.png` draws the losses of
both and the diagnosis of every pair. Cross-entropy, mean of seeds 0 to 2, in 96 CPU seconds:

examples  hidden units  train   validation
    1200             1  2.03    2.07        underfitting
    1200           128  0.0012  0.085       good
      30           128  0.0000  1.95        overfitting
"""

import dataclasses

from dlcourse import analysis, data, learners, losses, models, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet):
    """Networks with one hidden layer, by width and number of training examples."""

    limits = training.Config.limits | {
        "sizes": training.AT_LEAST_1,
        "acceptable": training.NOT_NEGATIVE,
    }
    distinct = frozenset({"widths"})
    selects = frozenset({"sizes"})

    examples: int = 1200
    """Number of training examples of a run."""
    sizes: tuple[int, ...] = (30, 100, 300, 1200)
    """Numbers of training examples that are compared."""
    widths: tuple[int, ...] = (1, 2, 4, 8, 32, 128)
    """Numbers of hidden units that are compared, side by side in each run."""
    acceptable: float = 0.25
    """Cross-entropy up to which a loss counts as low."""
    learning_rate: float = 0.01
    steps: int | None = 1500
    """Number of training steps, for every number of examples."""
    seeds: int = 3
    """Number of seeds, counted from `seed`; they train side by side in one compiled program."""
    evaluate_every: str = "5%"
    """Interval between evaluations on the validation split."""
    log_every: str = "5%"
    """Interval over which training metrics are averaged; the diagnosis needs `evaluate_every`."""


def experiment(config: Config) -> training.Experiment:
    images = config.images().with_fewer(config.examples)
    networks = {
        str(width): learners.supervised(
            models.MLP((width, images.num_classes)),
            losses.softmax_cross_entropy,
            config.rule(images),
        )
        for width in config.widths
    }
    return training.Experiment(learners.side_by_side(networks), images)


def variants(config: Config) -> dict[str, Config]:
    return {str(size): dataclasses.replace(config, examples=size) for size in config.sizes}


def report(runs: training.Runs) -> analysis.Report:
    config = runs.config
    curves = {
        (int(size), width): tuple(
            run.curve(split, f"loss/{width}")[1].mean(axis=1) for split in ("train", "validation")
        )
        for size, run in runs.items()
        for width in config.widths
    }
    diagnoses = [
        f"{size} examples, width {width}: "
        + analysis.diagnose(*losses_seen, config.acceptable).sentence
        for (size, width), losses_seen in curves.items()
        if width == config.widths[-1] or size == config.sizes[-1]  # the two curves of the figure
    ]
    figure = analysis.draw_bias_variance(curves, config.acceptable)
    return analysis.Report(figures={"bias_variance": figure}, notes=diagnoses)


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
