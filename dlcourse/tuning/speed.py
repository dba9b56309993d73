"""Measures the speed-up of training side by side: `python -m dlcourse.tuning.speed --help`.

Trains the MLP on digits (deck 004's 256 and 128 units) with several learning rates, in one program
and sequentially, both after a warm-up. Side by side is faster where one small model leaves the
device idle, as on an accelerator. On two CPU cores, 16 models train about as fast either way. 64
models of this size train at 0.5 to 0.8 times the speed, because they do not fit the cache; 64
models of 32 units at batch size 32 at 1.35 times. On a CPU the gain is in the start of each run: a
search of 16 rates over 60 epochs took 19 s side by side and 67 s sequentially.
"""

import dataclasses
import types
from typing import Any

import jax
import numpy as np

from dlcourse import data, learners, losses, models, optim, training
from dlcourse.benchmark import Session
from dlcourse.learner import Rule


@dataclasses.dataclass(frozen=True)
class Speed:
    """The seconds of a step, for one model and for all members side by side."""

    members: int
    alone: float
    side_by_side: float

    @property
    def ratio(self) -> float:
        """The speed relative to sequential training."""
        return self.members * self.alone / self.side_by_side


def side_by_side_speed(
    members: int = 64,
    hidden: tuple[int, ...] = (256, 128),
    batch_size: int = 128,
    repeats: int = 7,
) -> Speed:
    """Times the compiled programs of the training loop, alternating; the fastest chunk counts."""
    rates = np.logspace(-4, -1, members).astype(np.float32)
    model = models.MLP((*hidden, 10))

    def one(hyperparameters: Any) -> Any:
        rate = hyperparameters["learning_rate"]
        return learners.supervised(model, losses.softmax_cross_entropy, Rule(optim.adam(rate)))

    def session(learner: Any) -> Session:
        experiment = training.Experiment(learner, data.images("digits"))
        module = types.SimpleNamespace(experiment=lambda config: experiment)
        return Session(module, training.Config(batch_size=batch_size))

    alone = session(one({"learning_rate": float(rates[members // 2])}))
    side_by_side = session(training.population(one, {"learning_rate": rates}))
    times = [
        (alone.train(lengths[0]) / lengths[0], side_by_side.train(lengths[1]) / lengths[1])
        for lengths in [(400, max(2, 400 // members))] * repeats
    ]
    return Speed(members, *(min(column) for column in zip(*times, strict=True)))


@dataclasses.dataclass(frozen=True)
class Options:
    """Compares learning rates of the digits MLP side by side with sequential training."""

    members: int = 64
    """The number of learning rates."""
    hidden: tuple[int, ...] = (256, 128)
    """The width of each hidden layer."""
    batch_size: int = 128
    """Examples per step."""


def main() -> None:
    import tyro

    options = tyro.cli(Options, prog="python -m dlcourse.tuning.speed")
    speed = side_by_side_speed(**dataclasses.asdict(options))
    print(
        f"{options.members} learning rates, {jax.device_count()} x {jax.devices()[0].device_kind}: "
        f"a step of all takes {1e3 * speed.side_by_side:.3g} ms side by side and "
        f"{1e3 * speed.alone * speed.members:.3g} ms sequentially: {speed.ratio:.2f} times "
        "as fast." + ("" if speed.ratio > 1.1 else " On this machine steps are not faster.")
    )


if __name__ == "__main__":
    main()
