"""ISLR table 10.1 (deck 004): test errors of four classifiers of handwritten digits.

    python experiments/foundations/islr_table.py
    python experiments/foundations/islr_table.py --dataset mnist --epochs 40

Test error in percent, mean ± standard deviation of seeds 0 to 2, as in `table.png`. Digits take 84
CPU seconds, MNIST 240.

                          digits       MNIST  published
network with dropout  1.7 ± 0.3  1.54 ± 0.08        1.8
network with ridge    2.5 ± 0.1  1.65 ± 0.07        2.3
multinomial logistic  7.9 ± 0.7  7.38 ± 0.04        7.2
LDA                         4.4        12.70       12.7
"""

import dataclasses
from typing import Any, Literal

import numpy as np

from dlcourse import analysis, data, learners, losses, models, training

PUBLISHED = {"dropout": 0.018, "ridge": 0.023, "multinomial": 0.072, "LDA": 0.127}


@dataclasses.dataclass(frozen=True)
class Config(training.Config, data.ImageSet, learners.Classification):
    """A network with dropout, one with ridge, multinomial regression, and LDA."""

    limits = training.Config.limits | {"ridge": training.NOT_NEGATIVE}

    classifier: Literal["dropout", "ridge", "multinomial"] = "dropout"
    """Classifier that a run trains. LDA has a closed form and needs no run."""
    hidden: tuple[int, ...] = (256, 128)
    """Width of each hidden layer of the two networks."""
    dropout: float = 0.4
    """Dropout rate of each hidden layer of the network with dropout."""
    ridge: float = 2e-4
    """λ/m, the coefficient of half the squared norm of the kernels, for the network with ridge."""
    seeds: int = 3
    """Number of seeds, counted from `seed`; they train side by side in one compiled program."""
    batch_size: int = 128
    """Examples per step, over all devices."""
    epochs: float = 200
    """Passes over the train split."""


def experiment(config: Config) -> training.Experiment:
    images = config.images()
    hidden = () if config.classifier == "multinomial" else config.hidden
    dropout = config.dropout if config.classifier == "dropout" else 0.0

    def ridge(params: Any) -> Any:
        return config.ridge * losses.l2(params)

    learner = learners.supervised(
        models.MLP((*hidden, images.num_classes), dropout=dropout),
        config.cross_entropy(images),
        config.rule(images),
        regularizer=ridge if config.classifier == "ridge" else None,
        metrics_of=config.metrics,
    )
    figures = analysis.classification(learner.apply, images)
    return training.Experiment(learner, images, figures=figures)


def variants(config: Config) -> dict[str, Config]:
    rows = ("dropout", "ridge", "multinomial")
    return {row: dataclasses.replace(config, classifier=row) for row in rows}


def lda_error(config: Config) -> float:
    """The test error of scikit-learn's linear discriminant analysis on the same images."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    images = config.images()
    # The validation split is trained on too, because LDA has nothing to select on it.
    seen = np.concatenate([images.splits["train"], images.splits["validation"]])
    train, test = images.read(seen), images.read(images.splits["test"])
    flat = [part["image"].reshape(len(part["label"]), -1) / 1.0 for part in (train, test)]
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(flat[0], train["label"])
    return float(1 - lda.score(flat[1], test["label"]))


def report(runs: training.Runs) -> analysis.Report:
    errors = {row: 1 - values for row, values in runs.final("test", "accuracy").items()}
    errors["LDA"] = np.array([lda_error(runs.config)])
    return analysis.Report(
        analysis.Table.of_metric(
            f"ISLR table 10.1 on {runs.config.dataset}",
            "test error",
            errors,
            references=PUBLISHED if runs.config.dataset == "mnist" else {},
            lower_is_better=True,
            diverged=runs.diverged,
        )
    )


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
