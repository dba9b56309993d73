"""Random search against grid search at equal budget (deck 001; Bergstra and Bengio, 2012).

    python experiments/foundations/random_against_grid.py
    python experiments/foundations/random_against_grid.py --dataset mnist --epochs 2
        --batch-size 128

One of the three hyperparameters of a small network, the learning rate, causes 90 % of the variance
of the accuracy. A grid of n trials tries only the cube root of n values of it, random search n
values. `figures/efficiency.png` draws the best accuracy so far against the number of trials. Best
validation accuracy; of random search the mean and the 10th and 90th percentile, computed from 256
trials:

                 grid  random
digits    8     18.4 %  96.6 %  (95.2 to 98.0)
         27     95.9 %  97.9 %  (97.3 to 98.0)
         64     98.0 %  98.0 %  (98.0 to 98.0)
MNIST     8     54.0 %  93.2 %  (91.7 to 94.9)
         27     94.9 %  94.3 %  (93.4 to 95.3)
         64     94.0 %  94.8 %  (94.0 to 95.3)

A grid may be lucky: three rates include 0.003, which is good, and four rates do not. Digits take 40
CPU seconds, MNIST 2.5 minutes on two cores (measured before the order of examples changed).
"""

import dataclasses

import numpy as np

from dlcourse import analysis, data, learners, losses, models, optim, training, tuning
from dlcourse.errors import UsageError
from dlcourse.tuning.efficiency import expected_best, quantile_best
from dlcourse.tuning.figures import draw_efficiency

SPACE = {
    "learning_rate": tuning.LogUniform(1e-5, 1.0),
    "dropout": tuning.Uniform(0.0, 0.8),
    "weight_decay": tuning.LogUniform(1e-6, 1.0),
}


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet):
    """Random search against grids of 8, 27 and 64 trials."""

    limits = training.Config.limits | {
        "levels": (2, 20),
        "random_trials": (1, 10_000),
    }
    distinct = frozenset({"levels"})

    levels: tuple[int, ...] = (2, 3, 4)
    """Numbers of values of each hyperparameter, one grid for each."""
    random_trials: int = 256
    """Number of random trials from which the curve of random search is computed."""
    hidden: tuple[int, ...] = (32,)
    """Width of each hidden layer."""
    schedule: optim.ScheduleName = "constant"
    dropout: float = 0.0
    """Dropout rate of each hidden layer; searched."""
    epochs: float = 10
    """Passes over the train split."""
    evaluate_every: str = "100%"
    """Interval between evaluations; a trial is judged by its last one only."""


def experiment(config: Config) -> training.Experiment:
    images = config.images()
    model = models.MLP((*config.hidden, images.num_classes), dropout=config.dropout)
    rule = config.rule(images)
    learner = learners.supervised(model, losses.softmax_cross_entropy, rule)
    return training.Experiment(learner, images, monitor="max accuracy")


def searches(config: Config) -> dict[str, tuning.Search]:
    if config.random_trials < max(config.levels) ** 3:
        raise UsageError("--random-trials must be at least the number of trials of each grid.")
    sizes = {"random": (config.random_trials,), "grid": [n**3 for n in config.levels]}
    return {
        f"{method}-{trials}": tuning.Search(SPACE, method=method, trials=trials, side_by_side=64)
        for method, counts in sizes.items()
        for trials in counts
    }


def report(studies: tuning.Studies) -> analysis.Report:
    # A diverged trial counts as accuracy 0.
    random, *grids = (
        np.array([trial.value or 0.0 for trial in study.trials]) for study in studies.values()
    )
    columns = {
        "random": expected_best(random),
        "random, 10th percentile": quantile_best(random, 0.1),
        "random, 90th percentile": quantile_best(random, 0.9),
    }
    rows = {
        f"{len(grid)} trials": {"grid": grid.max()}
        | {name: values[len(grid) - 1] for name, values in columns.items()}
        for grid in grids
    }
    title = f"Random search against grids on {studies.config.dataset}"
    table = analysis.Table(f"{title}: best validation accuracy", rows, percent=("grid", *columns))
    figure = draw_efficiency(random, {len(grid): grid for grid in grids}, title)
    return analysis.Report(table, {"efficiency": figure})


if __name__ == "__main__":
    tuning.main(experiment, Config, searches, report)
