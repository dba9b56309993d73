"""The perceptron on AND, OR and XOR, and a small network that can do XOR (decks 000 and 002).

python experiments/foundations/perceptron.py
python experiments/foundations/perceptron.py --dataset separable --batch-size 100 --epochs 50

`figures/boundaries.png` shows the lines before and after. Where a line separates the classes the
rule ends, within the convergence theorem's bound of mistakes; for XOR there is none. Seed 0: AND
after 5 mistakes of at most 66, OR after 4 of at most 38; the network does XOR. 10 CPU seconds.
"""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
import numpy as np

from dlcourse import analysis, data, learners, losses, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Rosenblatt's rule on logical gates, or on points that a line separates."""

    dataset: Literal["gates", "separable"] = "gates"
    """AND, OR and XOR side by side; or 300 random points, drawn from the seed."""
    hidden: int = 4
    """The width of the network that learns XOR."""
    learning_rate: float = 0.05
    """Adam's rate for that network; the perceptron's is 1."""
    batch_size: int = 4
    """Examples in a step, over all devices together."""
    epochs: float = 200
    """How often training walks through the examples."""
    evaluate_every: str = "10 epochs"
    """When to measure."""


def experiment(config: Config) -> training.Experiment:
    gates = config.dataset == "gates"
    points = data.gates() if gates else data.separable(config.seed)
    network = models.MLP((config.hidden, 2), activation=nn.tanh)
    loss, adam = losses.softmax_cross_entropy, optim.adam(config.learning_rate)
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
            network, loss, adam, inputs="features", target="XOR", policy=config.policy
        )
    learner = learners.together(rules)
    examples = points.read(points.splits["train"])

    def score(state: Any, grid: np.ndarray) -> Any:
        """Above 0 for class 1."""
        if hasattr(state, "neuron"):
            return models.neuron.scores(state.neuron, grid)[:, 0]
        return np.diff(network.apply({"params": state.params}, grid))[:, 0]

    def boundaries(after: Any) -> Any:
        before = learner.init(training.stream(config.seed, "init"), examples)
        x, decisions = examples["features"], {}
        for name, target in targets.items():
            y, title = examples[target], name
            if hasattr(after[name], "neuron"):
                bound = learners.mistake_bound(x, y, before[name].neuron)
                title += f"\n{after[name].mistakes[0]} mistakes, " + (
                    f"at most {bound:.0f}" if np.isfinite(bound) else "no line and no end"
                )
            scores = [lambda grid, state=run[name]: score(state, grid) for run in (before, after)]
            decisions[title] = analysis.Decision(x, y, *scores)
        return analysis.draw_decisions(decisions)

    monitor = f"max accuracy/{next(iter(rules))}"
    return training.Experiment(learner, points, monitor, figures={"boundaries": boundaries})


if __name__ == "__main__":
    training.main(experiment, Config)
