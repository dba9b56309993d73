"""Four classifiers draw their lines in the plane (deck 003, 2D classification).

python experiments/foundations/decision_boundaries.py
python experiments/foundations/decision_boundaries.py --dataset two_moons

`figures/boundaries.png` shows them before and after training. Test accuracy in percent, seed 0, in
16 CPU seconds:

                        spirals  two moons
logistic regression        67.6       87.6
polynomial of degree 5     84.4      100.0
network 8                  87.8       99.2
network 128-128            99.8      100.0
"""

import dataclasses
from typing import Any, Literal

import numpy as np

from dlcourse import analysis, data, learners, losses, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Logistic regression, polynomial features, a small and a large network, side by side."""

    dataset: Literal["spirals", "two_moons"] = "spirals"
    """Which generated points."""
    degree: int = 5
    """The degree of the polynomial features."""
    small: tuple[int, ...] = (8,)
    """The hidden layers of the small network."""
    large: tuple[int, ...] = (128, 128)
    """The hidden layers of the large network."""
    learning_rate: float = 0.01
    """Adam's rate; it falls to zero along a cosine."""
    batch_size: int = 100
    """Examples in a step, over all devices together."""
    epochs: float = 300
    """How often training walks through the train split."""
    evaluate_every: str = "10%"
    """When to measure on the validation split."""


def experiment(config: Config) -> training.Experiment:
    points = getattr(data.generated, config.dataset)(config.seed)
    classifiers = {
        "logistic regression": models.Polynomial(1, 2),
        f"polynomial of degree {config.degree}": models.Polynomial(config.degree, 2),
        f"network {'-'.join(map(str, config.small))}": models.MLP((*config.small, 2)),
        f"network {'-'.join(map(str, config.large))}": models.MLP((*config.large, 2)),
    }
    adam = optim.adam(optim.cosine_decay(config.learning_rate, config.total_steps(points)))
    columns = {"inputs": "features", "policy": config.policy}
    learner = learners.together(
        {
            name: learners.supervised(model, losses.softmax_cross_entropy, adam, **columns)
            for name, model in classifiers.items()
        }
    )
    train, test = (points.read(points.splits[split]) for split in ("train", "test"))

    def boundaries(after: Any) -> Any:
        before = learner.init(training.stream(config.seed, "init"), train)
        decisions = {}
        for name, model in classifiers.items():
            predict = learners.predictor(model, **columns)

            def score(grid: np.ndarray, state: Any, predict: Any = predict) -> Any:
                """Above 0 for class 1."""
                return np.diff(predict(state, {"features": grid}))[:, 0]

            right = np.mean((score(test["features"], after[name]) > 0) == test["label"])
            decisions[f"{name}\n{right:.1%} of the test points right"] = analysis.Decision(
                train["features"],
                train["label"],
                *(lambda grid, s=run[name], f=score: f(grid, s) for run in (before, after)),
            )
        return analysis.draw_decisions(decisions)

    monitor = f"max accuracy/{list(classifiers)[-1]}"
    return training.Experiment(learner, points, monitor, figures={"boundaries": boundaries})


if __name__ == "__main__":
    training.main(experiment, Config)
