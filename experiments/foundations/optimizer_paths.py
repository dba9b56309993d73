"""Paths of five optimizers on three surfaces (deck 001, from momentum to Adam).

    python experiments/foundations/optimizer_paths.py
    python experiments/foundations/optimizer_paths.py --surface Beale --steps 500

Each optimizer runs at 41 learning rates of a logarithmic grid, side by side. The best rate on each
surface is shown: `figures/paths.png`, `paths_animated.gif`, and the final heights in a table. The
option `--surface` selects a single surface. Height after 300 steps, in 45 CPU seconds:

              gradient descent  momentum  AdaGrad  RMSprop     Adam
Rosenbrock              5.4       0.0044      4.6     0.85    0.010
Beale                8.4e-5       5.6e-7   2.6e-5   1.8e-3  1.7e-13
ravine               1.7e-4      3.5e-13        0   4.0e-3  3.0e-13

AdaGrad does well in the ravine because the ravine is aligned with the axes, and AdaGrad has one
rate per axis. RMSprop forgets old gradients, so at a constant rate it does not converge.
"""

import dataclasses
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from dlcourse import analysis, data, learners, optim, training
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
    """Five optimizers on Rosenbrock's function, on Beale's function and in a ravine."""

    limits = training.Config.limits | {"rates": (1, 1000), "steps": (1, 100_000)}

    surface: Literal["Rosenbrock", "Beale", "ravine"] = "Rosenbrock"
    """Surface that a run minimises."""
    rates: int = 41
    """Number of learning rates of each optimizer, from 1e-4 to 10."""
    steps: int = 300
    """Number of steps of each optimizer."""
    batch_size: int = 1
    """Unused: a surface has no examples."""


NOTHING = data.Dataset("no data", {}, {"train": np.arange(1), "test": np.arange(1)})


def experiment(config: Config) -> training.Experiment:
    surface, steps = analysis.SURFACES[config.surface], config.total_steps(NOTHING)

    def at_all_rates(optimizer: Any) -> Learner:
        def at(rate: Any) -> Learner:
            rule = config.rule_of(optimizer(rate))
            return learners.descent(surface.height, rule, surface.start, steps)

        return training.population(at, jnp.logspace(-4, 1, config.rates))

    learner = learners.side_by_side({name: at_all_rates(o) for name, o in OPTIMIZERS.items()})
    return training.Experiment(learner, NOTHING, "min height")


def best_paths(state: Any, config: Config) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Each optimizer's path at its best rate, and the height at its end."""
    paths, heights = {}, {}
    for name in OPTIMIZERS:
        walked = np.asarray(state[name].learned.path)
        height = np.asarray(analysis.SURFACES[config.surface].height(jnp.asarray(walked)))
        best = analysis.best_descent(height)
        if best is not None:
            rate = state[name].hyperparameters[best]
            paths[f"{name}, α = {rate:.2g}"], heights[name] = walked[best], height[best, -1]
    return paths, heights


def variants(config: Config) -> dict[str, Config]:
    return {name: dataclasses.replace(config, surface=name) for name in analysis.SURFACES}


def report(runs: training.Runs) -> analysis.Report:
    best = {name: best_paths(run.by_seed()[0], run.config) for name, run in runs.items()}
    paths = {name: walked for name, (walked, _) in best.items()}
    table = analysis.Table(
        f"Height after {runs.config.total_steps(NOTHING)} steps",
        {name: heights for name, (_, heights) in best.items()},
        diverged=runs.diverged,
    )
    figures = {
        "paths": analysis.draw_descents(paths),
        "paths_animated": analysis.animate_descents(paths),
    }
    return analysis.Report(table, figures)


if __name__ == "__main__":
    training.main(experiment, Config, variants, report)
