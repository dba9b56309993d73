"""Logistic regression with a gradient written by hand, to convergence (decks 000 and 001).

    python experiments/foundations/logistic_regression.py
    python experiments/foundations/logistic_regression.py --dataset digits --batch-size 1200
    python experiments/foundations/logistic_regression.py --dataset digits --batch-size 1200
        --multinomial

`figures/weights.png` shows, on breast cancer, each weight beside scikit-learn's for the same
penalty; on digits, the weights of each class as an image. Test accuracy: breast cancer 98.2 %, all
weights within 0.001 of scikit-learn's; digits 96.2 % one-vs-rest, 97.1 % multinomial. 7 to 14 CPU
seconds.
"""

import dataclasses
from typing import Any, Literal

import numpy as np

from dlcourse import analysis, data, learners, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Logistic regression by gradient descent, with a gradient written by hand."""

    limits = training.Config.limits | {"l2": training.POSITIVE, "tolerance": training.NOT_NEGATIVE}

    dataset: Literal["breast_cancer", "digits"] = "breast_cancer"
    """Breast cancer has two classes and 30 features; digits has ten classes."""
    multinomial: bool = False
    """One softmax over the classes instead of one sigmoid per class."""
    learning_rate: float = 0.5
    """Learning rate of gradient descent."""
    l2: float = 1.0
    """λ, the coefficient of the penalty; scikit-learn's C is 1/λ."""
    tolerance: float = 1e-9
    """Change of the cost below which the descent has converged."""
    batch_size: int = 400
    """Examples per step: the whole train split, 400 for breast cancer and 1200 for digits."""
    epochs: float = 20_000
    """Maximum number of passes; the run ends earlier when the descent has converged."""
    evaluate_every: str = "500 epochs"
    """Interval between evaluations, which check for convergence."""
    patience: int | None = 2
    """Stop after this many evaluations without a lower cost."""


def experiment(config: Config) -> training.Experiment:
    digits = config.dataset == "digits"
    examples = data.images("digits") if digits else data.table(config.dataset)
    learner = learners.logistic_regression(
        examples.num_classes,
        config.learning_rate,
        l2=config.l2,
        tolerance=config.tolerance,
        multinomial=config.multinomial,
        inputs="image" if digits else "features",
    )

    def agreement(state: Any) -> Any:
        from sklearn.datasets import load_breast_cancer
        from sklearn.linear_model import LogisticRegression

        batch = examples.read(examples.splits["train"])
        model = LogisticRegression(C=1 / config.l2, tol=1e-8, max_iter=10_000)
        theirs = model.fit(batch["features"], batch["label"]).coef_[0]
        ours = np.asarray(state.neuron.params.w)
        # A softmax over two classes has two weights per feature; a sigmoid has their difference.
        ours = ours[:, -1] - (ours[:, 0] if ours.shape[1] == 2 else 0)
        names = load_breast_cancer().feature_names
        return analysis.draw_agreement(ours, theirs, names, "scikit-learn", examples.classes[-1])

    def templates(state: Any) -> Any:
        return analysis.draw_templates(
            np.asarray(state.neuron.params.w).reshape(8, 8, -1), examples.classes
        )

    figures = {"weights": templates if digits else agreement}
    return training.Experiment(learner, examples, "min cost", figures)


if __name__ == "__main__":
    training.main(experiment, Config)
