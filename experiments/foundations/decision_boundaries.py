"""Decision boundaries of four classifiers in the plane (deck 003, 2D classification).

    python experiments/foundations/decision_boundaries.py
    python experiments/foundations/decision_boundaries.py --dataset two_moons

`figures/boundaries.png` shows the boundaries before and after training. Test accuracy in percent,
seed 0, in 31 CPU seconds:

                        spirals  two moons
logistic regression        67.6       87.6
polynomial of degree 5     84.6      100.0
network 8                  87.8       99.2
network 128-128            99.8      100.0
"""

import dataclasses
import functools
from typing import Any, Literal

import jax
import numpy as np

from dlcourse import analysis, data, learners, losses, models, training
from dlcourse.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Logistic regression, polynomial features, and a small and a large network."""

    limits = training.Config.limits | {
        "degree": (1, 30),  # 495 monomials; the program grows with each
        "small": training.SIZE,
        "large": training.SIZE,
    }

    dataset: Literal["spirals", "two_moons"] = "spirals"
    """Generated set of points."""
    degree: int = 5
    """Degree of the polynomial features."""
    small: tuple[int, ...] = (8,)
    """Widths of the hidden layers of the small network."""
    large: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers of the large network."""
    learning_rate: float = 0.01
    batch_size: int = 100
    """Examples per step, over all devices."""
    epochs: float = 300
    """Passes over the train split."""
    evaluate_every: str = "10%"
    """Interval between evaluations on the validation split."""


def experiment(config: Config) -> training.Experiment:
    if config.small == config.large:
        raise UsageError("--small and --large are the same network.")
    points = getattr(data.generated, config.dataset)(config.seed)
    classifiers = {
        "logistic regression": models.Polynomial(1, 2),
        f"polynomial of degree {config.degree}": models.Polynomial(config.degree, 2),
        f"network {'-'.join(map(str, config.small))}": models.MLP((*config.small, 2)),
        f"network {'-'.join(map(str, config.large))}": models.MLP((*config.large, 2)),
    }
    rule, loss = config.rule(points), losses.softmax_cross_entropy
    learner = learners.side_by_side(
        {
            name: learners.supervised(model, loss, rule, inputs="features")
            for name, model in classifiers.items()
        }
    )
    train, test = (points.read(points.splits[split]) for split in ("train", "test"))

    def boundaries(after: Any) -> Any:
        before = learner.init(training.stream(config.seed, "init"), train)
        apply = jax.jit(learner.apply)

        def score(name: str, state: Any, grid: np.ndarray) -> Any:
            """The decision function: positive for class 1."""
            return np.diff(apply(state, {"features": grid}, jax.random.key(0))[name])[:, 0]

        decisions = {}
        for name in classifiers:
            right = np.mean((score(name, after, test["features"]) > 0) == test["label"])
            decisions[f"{name}\n{right:.1%} test accuracy"] = analysis.Decision(
                train["features"],
                train["label"],
                *(functools.partial(score, name, state) for state in (before, after)),
            )
        return analysis.draw_decisions(decisions)

    return training.Experiment(learner, points, "max accuracy", figures={"boundaries": boundaries})


if __name__ == "__main__":
    training.main(experiment, Config)
