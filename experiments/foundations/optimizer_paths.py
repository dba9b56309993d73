"""The decks' optimizers walk down three surfaces (deck 001, from momentum to Adam).

python experiments/foundations/optimizer_paths.py
python experiments/foundations/optimizer_paths.py --surface Beale --steps 500

Each optimizer goes at the best rate of a logarithmic grid, found on each surface. The figures show
the paths on all three, still and animated; the metrics are the heights on one of them. Height after
300 steps, in 20 CPU seconds:

              gradient descent  momentum  AdaGrad  RMSprop     Adam
Rosenbrock              5.4       0.0044      4.6     0.85    0.010
Beale                8.4e-5       5.6e-7   2.6e-5   1.8e-3  1.7e-13
ravine               1.7e-4      3.5e-13        0   4.0e-3  3.0e-13

AdaGrad owes its ravine to the axes, along which the ravine lies: it has a rate for each. RMSprop
forgets old gradients, and so at a constant rate never comes to rest.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import data, learners, optim, training
from dlcourse.analysis import surfaces
from dlcourse.learner import Learner

OPTIMIZERS = {
    "gradient descent": optim.sgd,
    "momentum": optim.momentum,
    "AdaGrad": optim.adagrad,
    "RMSprop": optim.rmsprop,
    "Adam": optim.adam,
}


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Five optimizers on Rosenbrock's and Beale's functions and in a ravine."""

    surface: Literal["Rosenbrock", "Beale", "ravine"] = "Rosenbrock"
    """Whose heights are the metrics."""
    steps: int = 300
    """How many steps each optimizer walks."""
    batch_size: int = 1
    """Without meaning here: a surface has no examples."""


def experiment(config: Config) -> training.Experiment:
    key, paths, descents = jax.random.key(config.seed), {}, {}
    for name, surface in surfaces.SURFACES.items():
        best = {label: tuned(rule, surface, config) for label, rule in OPTIMIZERS.items()}
        paths[name] = {
            f"{label}, α = {rate:.2g}": np.asarray(surfaces.path(learner, config.steps, key))
            for label, (rate, learner) in best.items()
        }
        descents[name] = learners.together({label: learner for label, (_, learner) in best.items()})
    return training.Experiment(
        descents[config.surface],
        data.Dataset("no data", {}, {"train": np.arange(1), "test": np.arange(1)}),
        figures={
            "paths": lambda state: surfaces.draw(paths),
            "paths_animated": lambda state: surfaces.animate(paths),
        },
    )


def tuned(rule: Callable, surface: surfaces.Surface, config: Config) -> tuple[float, Learner]:
    """The optimizer at its best rate on this surface."""

    def walker(rate: float | jax.Array) -> Learner:
        return learners.descent(surface.height, rule(rate), surface.start)

    key, rates = jax.random.key(config.seed), jnp.logspace(-4, 1, 41)
    rate = float(surfaces.best_rate(walker, surface.height, rates, config.steps, key))
    return rate, walker(rate)


if __name__ == "__main__":
    training.main(experiment, Config)
