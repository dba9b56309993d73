"""Logistic regression by the gradient written by hand, until the cost settles (decks 000 and 001).

python experiments/foundations/logistic_regression.py
python experiments/foundations/logistic_regression.py --dataset digits --batch-size 1200
python experiments/foundations/logistic_regression.py --dataset digits --batch-size 1200
    --multinomial

`figures/weights.png`: on breast cancer, each weight beside scikit-learn's for the same penalty; on
digits, the image that each class looks for. Test accuracy: breast cancer 98.2 %, all weights within
0.001 of scikit-learn's; digits 96.2 % one-vs-rest, 97.1 % multinomial. 7 to 14 CPU seconds.
"""

import dataclasses
from typing import Any, Literal

import numpy as np

from dlcourse import analysis, data, learners, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Logistic regression by hand-written gradient descent."""

    dataset: Literal["breast_cancer", "digits"] = "breast_cancer"
    """Two classes from 30 measurements, or ten digits."""
    multinomial: bool = False
    """One softmax over the classes instead of one sigmoid for each."""
    learning_rate: float = 0.5
    """The step along the gradient."""
    l2: float = 1.0
    """lambda, the weight of the penalty; scikit-learn's C is its inverse."""
    tolerance: float = 1e-9
    """The change of the cost at which it has settled."""
    batch_size: int = 400
    """Examples in a step: all of the train split, 400 of breast cancer and 1200 of digits."""
    epochs: float = 20_000
    """The most steps; settled weights end the run before."""
    evaluate_every: str = "500 epochs"
    """When to measure, and to see whether the cost still falls."""
    patience: int | None = 2
    """Stop after so many evaluations without a smaller cost."""


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
        ours = np.asarray(state.neuron.w)
        # A softmax over two classes has two weights where a sigmoid has their difference.
        ours = ours[:, -1] - (ours[:, 0] if ours.shape[1] == 2 else 0)
        names = load_breast_cancer().feature_names
        return analysis.draw_agreement(ours, theirs, names, "scikit-learn", examples.classes[-1])

    def templates(state: Any) -> Any:
        return analysis.draw_templates(
            np.asarray(state.neuron.w).reshape(8, 8, -1), examples.classes
        )

    figures = {"weights": templates if digits else agreement}
    return training.Experiment(learner, examples, "min cost", figures)


if __name__ == "__main__":
    training.main(experiment, Config)
