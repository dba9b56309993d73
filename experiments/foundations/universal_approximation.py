"""Universal approximation by one hidden layer, against its width (deck 003, theorem 1).

    python experiments/foundations/universal_approximation.py
    python experiments/foundations/universal_approximation.py --curve chirp --activation relu

`figures/approximation.png` draws the largest error against the width, for trained networks, for
linear networks, and for a least-squares fit on random features, which shows what the width allows.
Mean of 3 seeds (5 for random features), in 83 CPU seconds:

hidden units             1      8     16      32      64     128     256
tanh, trained         0.58   0.48   0.26   0.050   0.023   0.011   0.013
tanh, random features 0.70   0.55  0.028 0.00087 0.00059 0.00008 0.00015
linear                0.70                                         0.70

Beyond 16 units the optimizer limits the trained network, not the width.
"""

import dataclasses
from typing import Literal

import flax.linen as nn
import numpy as np

from dlcourse import analysis, data, learners, losses, models, training
from dlcourse.models.foundations.activations import ACTIVATIONS


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Networks of several widths fitted to a curve, beside linear networks and random features."""

    limits = training.Config.limits | {"slope": training.POSITIVE}
    distinct = frozenset({"widths"})

    curve: Literal["wave", "triangle", "chirp"] = "wave"
    """Function on [-1, 1] to approximate."""
    activation: Literal["tanh", "sigmoid", "relu", "swish"] = "tanh"
    """Activation of the network. The theorem holds for any that is not a polynomial."""
    widths: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256)
    """Numbers of hidden units that are compared."""
    slope: float = 3.0
    """Standard deviation of the initial weights; a hidden unit changes over a length of 1/slope."""
    learning_rate: float = 0.1
    batch_size: int = 512
    """Examples per step: all of them."""
    steps: int | None = 3000
    """Number of training steps."""
    seeds: int = 3
    """Number of seeds, counted from `seed`; they train side by side in one compiled program."""
    evaluate_every: str = "10%"
    """Interval between evaluations on the validation split."""


def networks(config: Config) -> dict[tuple[str, int], nn.Module]:
    """The networks by activation and width; linear ones do not gain by width, so two suffice."""
    ends = (config.widths[0], config.widths[-1])
    return {
        (kind, width): models.MLP(
            (width, 1),
            activation=ACTIVATIONS[kind].function,
            kernel_init=nn.initializers.variance_scaling(config.slope**2, "fan_in", "normal"),
            bias_init=nn.initializers.normal(config.slope),
        )
        for kind, widths in ((config.activation, config.widths), ("linear", ends))
        for width in widths
    }


def experiment(config: Config) -> training.Experiment:
    curve = data.generated.curve(config.curve, config.batch_size)
    columns = {"inputs": "x", "target": "y", "metrics_of": {}}
    learner = learners.side_by_side(
        {
            f"{kind} {width}": learners.supervised(
                model, losses.squared_error, config.rule(curve), **columns
            )
            for (kind, width), model in networks(config).items()
        }
    )
    return training.Experiment(learner, curve)


def report(runs: training.Runs) -> analysis.Report:
    config, (run,) = runs.config, runs.values()
    curve = run.experiment.data
    test = curve.read(curve.splits["test"])
    x, y = test["x"][:, 0], test["y"][:, 0]
    fits: dict[int, dict[str, list[np.ndarray]]] = {width: {} for width in config.widths}
    for seed in range(config.seeds):
        for name, outputs in run.apply(test, seed=seed).items():
            kind, width = name.split()
            fits[int(width)].setdefault(kind, []).append(np.asarray(outputs)[:, 0])
    activation = ACTIVATIONS[config.activation].function
    for width in config.widths:
        seeds = range(config.seed, config.seed + 5)
        fits[width]["random features"] = [
            analysis.fit_random_features(x, y, width, activation, seed) for seed in seeds
        ]
    shown = [(config.activation, width) for width in config.widths[2::3]]
    shown.append(("linear", config.widths[-1]))
    errors = {f"width {w}": kinds for w, kinds in analysis.largest_errors(fits, y).items()}
    table = analysis.Table(f"Largest error on the {config.curve}", errors)
    return analysis.Report(table, {"approximation": analysis.draw_approximation(x, y, fits, shown)})


if __name__ == "__main__":
    training.main(experiment, Config, report=report)
