"""The smallest experiment, for tests of searches: descent of a number to the mean of points."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import data, metrics, training, tuning
from dlcourse.learner import Learner, Trained


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A run of a few steps."""

    batch_size: int = 7
    steps: int | None = 4
    evaluate_every: str = "1 step"
    checkpoint_every: str = "100%"
    learning_rate: float = 0.1
    noise: float = 0.1
    start: int = 5


def learner(config):
    """w -= α (2 (w - mean x) + noise), so that the random streams matter."""

    def errors(state, batch):
        return jnp.square(state.params["w"] - batch["x"])

    def init(key, batch):
        return Trained({"w": jnp.full((), config.start, jnp.float32)})

    def step(state, batch, key):
        w, values = state.params["w"], errors(state, batch)
        slope = 2 * (w - batch["x"].mean()) + config.noise * jax.random.normal(key)
        loss = metrics.Loss(values.sum(), jnp.float32(values.size))
        return Trained({"w": w - config.learning_rate * slope}), {"loss": loss}

    def evaluate(state, batch):
        return {"loss": metrics.mean(errors(state, batch), batch["mask"])}

    def apply(state, batch, key):
        return state.params["w"]

    return Learner(init, step, evaluate, apply)


X = np.random.default_rng(0).normal(1.0, 0.5, 43).astype(np.float32)
SPLITS = {"train": np.arange(23), "validation": np.arange(23, 34), "test": np.arange(34, 43)}
POINTS = data.Dataset("points", {"x": X}, SPLITS)


def experiment(config):
    return training.Experiment(learner(config), POINTS)


def search(folder, space, *, config=None, experiment=experiment, interruption=None, **options):
    """The result, and the lines that were shown."""
    lines = []
    result = tuning.search(
        experiment,
        Config() if config is None else config,
        tuning.Search(space, **options),
        name="points",
        folder=folder,
        say=lambda line: lines.append(str(line)),
        interruption=interruption,
    )
    return result, lines
