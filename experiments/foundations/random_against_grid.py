"""Random search against grid search at equal budget (deck 001; Bergstra and Bengio, 2012).

python experiments/foundations/random_against_grid.py
python experiments/foundations/random_against_grid.py --dataset mnist --epochs 2 --batch-size 128

Three hyperparameters of a small network, of which one, the learning rate, makes nine tenths of the
difference. A grid of n trials tries only the cube root of n values of it; random search tries n.
`figures/efficiency.png` shows the best of the trials so far. Best validation accuracy, and that of
random search in the mean and in 8 of 10 searches, computed from 256 trials:

                 grid  random
digits    8     18.4 %  96.6 %  (95.2 to 98.0)
         27     95.9 %  97.9 %  (97.3 to 98.0)
         64     98.0 %  98.0 %  (98.0 to 98.0)
MNIST     8     54.0 %  93.2 %  (91.7 to 94.9)
         27     94.9 %  94.3 %  (93.4 to 95.3)
         64     94.0 %  94.8 %  (94.0 to 95.3)

A grid may be lucky: the middle one of three rates is 0.003, and four miss what lies between. Digits
take 40 CPU seconds, MNIST 2.5 minutes on two cores.
"""

import dataclasses
import json

import numpy as np
from matplotlib.figure import Figure

from dlcourse import data, learners, losses, models, optim, training, tuning
from dlcourse.training.run.folder import new_folder
from dlcourse.training.run.interruption import Interruption
from dlcourse.tuning.efficiency import expected_best, quantile_best

SPACE = {
    "learning_rate": tuning.LogUniform(1e-5, 1.0),
    "dropout": tuning.Uniform(0.0, 0.8),
    "weight_decay": tuning.LogUniform(1e-6, 1.0),
}


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Random search against grids of 8, 27 and 64 trials."""

    dataset: str = "digits"
    """`digits` is bundled; any other name is a labelled image set prepared by TFDS."""
    levels: tuple[int, ...] = (2, 3, 4)
    """How many values of each hyperparameter the grids try."""
    random_trials: int = 256
    """From how many random trials the curve of random search is computed."""
    hidden: tuple[int, ...] = (32,)
    """The width of each hidden layer."""
    learning_rate: float = 1e-3
    """Adam's rate; searched."""
    dropout: float = 0.0
    """The share of each hidden layer that is dropped in training; searched."""
    weight_decay: float = 1e-4
    """The decoupled decay of the kernels; searched."""
    epochs: float = 10
    """How often training walks through the train split."""
    evaluate_every: str = "100%"
    """When to measure on the validation split: only what a run ends with counts."""


def experiment(config: Config) -> training.Experiment:
    images = data.images(config.dataset, stream=config.stream)
    model = models.MLP((*config.hidden, images.num_classes), dropout=config.dropout)
    rule = optim.adamw(config.learning_rate, config.weight_decay)
    learner = learners.supervised(model, losses.softmax_cross_entropy, rule, policy=config.policy)
    return training.Experiment(learner, images, monitor="max accuracy")


def compare(config: Config, interruption: Interruption) -> None:
    folder = config.workdir or new_folder("random_against_grid")

    def accuracies(method: str, trials: int) -> np.ndarray:
        result = tuning.search(
            experiment,
            config,
            SPACE,
            name="random_against_grid",
            method=method,
            trials=trials,
            side_by_side=64,
            folder=folder / f"{method}-{trials}",
            say=lambda line: None,
            interruption=interruption,
        )
        print(f"{method}, {trials} trials: best validation accuracy {result.best.value:.4f}")
        return np.array([trial.value or 0.0 for trial in result.trials])  # nothing, if it diverged

    draws = accuracies("random", config.random_trials)
    grids = {count**3: accuracies("grid", count**3) for count in config.levels}
    rows = [
        {
            "trials": trials,
            "grid": grid.max(),
            "random": expected_best(draws)[trials - 1],
            "random_10_to_90": [quantile_best(draws, p)[trials - 1] for p in (0.1, 0.9)],
        }
        for trials, grid in grids.items()
    ]
    for row in rows:
        low, high = row["random_10_to_90"]
        print(
            f"{row['trials']:3} trials: grid {row['grid']:.4f}, "
            f"random {row['random']:.4f} ({low:.4f} to {high:.4f} in 8 of 10 searches)"
        )
    (folder / "results.json").write_text(json.dumps(rows, indent=2) + "\n")
    (folder / "figures").mkdir(exist_ok=True)
    draw(draws, grids, config.dataset).savefig(folder / "figures" / "efficiency.png", dpi=120)
    print(f"Everything is in {folder}")


def draw(draws: np.ndarray, grids: dict[int, np.ndarray], dataset: str) -> Figure:
    """The validation error of the best trial so far against the number of trials."""
    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    panel = figure.subplots()
    k = np.arange(1, max(grids) + 1)
    high, low = (1 - quantile_best(draws, p)[: len(k)] for p in (0.1, 0.9))
    panel.fill_between(k, low, high, color="C0", alpha=0.2, lw=0, label="8 of 10 random searches")
    panel.plot(k, 1 - expected_best(draws)[: len(k)], "C0", label="random, mean")
    for color, (trials, values) in zip(("C1", "C2", "C3"), grids.items(), strict=False):
        line = 1 - expected_best(values)
        panel.plot(k[:trials], line, color, label=f"grid of {trials}, in any order")
        panel.plot(trials, line[-1], color + "o")
    panel.set(
        xscale="log",
        yscale="log",
        xlabel="trials",
        ylabel="validation error of the best trial so far",
    )
    panel.set_xticks([1, 2, 4, *grids], [str(mark) for mark in (1, 2, 4, *grids)])
    panel.minorticks_off()
    panel.set_title(f"Random search against grids on {dataset}")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)
    return figure


if __name__ == "__main__":
    training.launch(compare, Config)
