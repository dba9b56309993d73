"""One hidden layer comes as near to a continuous function as one likes (deck 003, theorem 1).

python experiments/foundations/universal_approximation.py
python experiments/foundations/universal_approximation.py --curve chirp --activation relu

`figures/approximation.png` shows the largest error against the width: of trained networks, of
linear ones, which gain nothing by it, and of the least-squares fit on random features, an oracle
of what the width is good for. Mean of 3 seeds (of 5 for the oracle), in 45 CPU seconds:

hidden units             1      8     16      32      64     128     256
tanh, trained         0.58   0.48   0.26   0.050   0.023   0.011   0.013
tanh, random features 0.70   0.55  0.028 0.00087 0.00059 0.00008 0.00015
linear                0.70                                         0.70

Beyond 16 units the optimizer, not the width, is what keeps the trained network away.
"""

import dataclasses
from typing import Literal

import flax.linen as nn
import numpy as np

from dlcourse import analysis, data, learners, losses, models, optim, training
from dlcourse.models.foundations.activations import ACTIVATIONS
from dlcourse.training.run.interruption import Interruption


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Networks of every width on a curve, beside linear ones and random features."""

    curve: Literal["wave", "triangle", "chirp"] = "wave"
    """The function to come near to, on [-1, 1]."""
    activation: Literal["tanh", "sigmoid", "relu", "swish"] = "tanh"
    """σ of the network; any that is no polynomial will do."""
    widths: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256)
    """How many hidden units the network has."""
    slope: float = 3.0
    """The spread of the first weights: a hidden unit turns over 1/slope of the line."""
    learning_rate: float = 0.1
    """Adam's rate; it falls to zero along a cosine."""
    batch_size: int = 512
    """Examples in a step, over all devices together; here all there are."""
    steps: int | None = 3000
    """How many steps to train."""
    seeds: int = 3
    """How many seeds, from `seed` on, train side by side in one compiled program."""
    evaluate_every: str = "10%"
    """When to measure on the validation split."""


def networks(config: Config) -> dict[tuple[str, int], nn.Module]:
    """By activation and width; linear ones gain nothing by width, so two of them will do."""
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
    adam = optim.adam(optim.cosine_decay(config.learning_rate, config.total_steps(curve)))
    columns = {"inputs": "x", "target": "y", "metrics_of": {}, "policy": config.policy}
    learner = learners.together(
        {
            f"{kind} {width}": learners.supervised(model, losses.squared_error, adam, **columns)
            for (kind, width), model in networks(config).items()
        }
    )
    return training.Experiment(learner, curve, f"min loss/linear {config.widths[-1]}")


def body(config: Config, interruption: Interruption) -> None:
    made = experiment(config)
    result = training.run(made, config, name="universal_approximation", interruption=interruption)
    test = made.data.read(made.data.splits["test"])
    x, y = test["x"][:, 0], test["y"][:, 0]
    fits: dict[int, dict[str, list[np.ndarray]]] = {width: {} for width in config.widths}
    for (kind, width), model in networks(config).items():
        predict = learners.predictor(model, inputs="x", policy=config.policy)
        states = [state[f"{kind} {width}"] for state in result.by_seed()]
        fits[width][kind] = [np.asarray(predict(state, test))[:, 0] for state in states]
    activation = ACTIVATIONS[config.activation].function
    for width in config.widths:
        seeds = range(config.seed, config.seed + 5)
        fits[width]["random features"] = [
            analysis.fit_random_features(x, y, width, activation, seed) for seed in seeds
        ]
    shown = [(config.activation, width) for width in config.widths[2::3]]
    shown.append(("linear", config.widths[-1]))
    figure = analysis.draw_approximation(x, y, fits, shown)
    figure.savefig(result.folder.figures / "approximation.png", dpi=120)
    errors = {f"width {w}": kinds for w, kinds in analysis.largest_errors(fits, y).items()}
    title = f"Largest error on the {config.curve}"
    analysis.report_measurements(title, errors, result.folder.path)


if __name__ == "__main__":
    training.launch(body, Config)
