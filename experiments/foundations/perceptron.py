"""The perceptron on AND, OR and XOR, and a small network that learns XOR (decks 000 and 002).

    python experiments/foundations/perceptron.py
    python experiments/foundations/perceptron.py --dataset separable --batch-size 100 --epochs 50

`figures/boundaries.png` shows the boundaries before and after training. If a line separates the
classes, the perceptron converges within the number of mistakes that the convergence theorem allows.
No line separates XOR. Seed 0: 10 mistakes on AND (bound 66), 4 on OR (bound 38); the network learns
XOR. 20 CPU seconds.
"""

import dataclasses
import functools
from typing import Any, Literal

import flax.linen as nn
import jax
import numpy as np

from dlcourse import analysis, data, learners, losses, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """The perceptron on logical gates, or on linearly separable points."""

    dataset: Literal["gates", "separable"] = "gates"
    """AND, OR and XOR side by side, or 300 linearly separable random points."""
    hidden: int = 4
    """Width of the hidden layer of the network that learns XOR."""
    learning_rate: float = 0.05
    """Learning rate of the network, with Adam; the perceptron's rate is 1."""
    schedule: optim.ScheduleName = "constant"
    batch_size: int = 4
    """Examples per step, over all devices."""
    epochs: float = 200
    """Passes over the examples."""
    evaluate_every: str = "10 epochs"
    """Interval between evaluations."""


def experiment(config: Config) -> training.Experiment:
    gates = config.dataset == "gates"
    points = data.gates() if gates else data.separable(config.seed)
    network = models.MLP((config.hidden, 2), activation=nn.tanh)
    rule = config.rule(points)
    targets = (
        {f"{gate} perceptron": gate for gate in data.GATES} if gates else {"perceptron": "label"}
    )
    rules = {
        name: learners.perceptron(
            2, kernel_init=nn.initializers.normal(1.0), inputs="features", target=target
        )
        for name, target in targets.items()
    }
    if gates:
        targets["XOR network"] = "XOR"
        rules["XOR network"] = learners.supervised(
            network, losses.softmax_cross_entropy, rule, inputs="features", target="XOR"
        )
    learner = learners.side_by_side(rules)
    examples = points.read(points.splits["train"])

    def score(name: str, state: Any, grid: np.ndarray) -> Any:
        """Positive for class 1: the output of a perceptron, the difference of a network's two."""
        outputs = rules[name].apply(state[name], {"features": grid}, jax.random.key(0))
        return outputs[:, -1] - (outputs[:, 0] if outputs.shape[1] == 2 else 0)

    def boundaries(after: Any) -> Any:
        before = learner.init(training.stream(config.seed, "init"), examples)
        x, decisions = examples["features"], {}
        for name, target in targets.items():
            y, title = examples[target], name
            if hasattr(after[name], "neuron"):
                bound = learners.mistake_bound(x, y, before[name].neuron.params)
                title += f"\n{after[name].mistakes[0]} mistakes, " + (
                    f"bound {bound:.0f}" if np.isfinite(bound) else "not separable"
                )
            scores = [functools.partial(score, name, state) for state in (before, after)]
            decisions[title] = analysis.Decision(x, y, *scores)
        return analysis.draw_decisions(decisions)

    return training.Experiment(learner, points, "max accuracy", figures={"boundaries": boundaries})


if __name__ == "__main__":
    training.main(experiment, Config)
