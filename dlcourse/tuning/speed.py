"""What training side by side is worth here: `python -m dlcourse.tuning.speed --help`.

Learning rates of the MLP on digits (deck 004's 256 and 128 units), in one program and one after
another, both warm. It pays where one small model leaves the device idle, as an accelerator is. Two
CPU cores are busy with one model already: 16 train about as fast either way, and 64 of this size
slower together (0.5 to 0.8 times), because they no longer fit the cache; 64 of 32 units at batch
size 32 are 1.35 times as fast. What side by side saves there is the start of each run: a search of
16 rates over 60 epochs took 19 s together and 67 s one after another.
"""

import dataclasses
import types
from typing import Any

import jax
import numpy as np

from dlcourse import data, learners, losses, models, optim, training
from dlcourse.benchmark import Session


@dataclasses.dataclass(frozen=True)
class Speed:
    """Seconds a step takes, for one model and for all members together."""

    members: int
    alone: float
    together: float

    @property
    def ratio(self) -> float:
        """How many times faster than one after another."""
        return self.members * self.alone / self.together


def side_by_side_speed(
    members: int = 64,
    hidden: tuple[int, ...] = (256, 128),
    batch_size: int = 128,
    repeats: int = 7,
) -> Speed:
    """Times the loop's own compiled programs, in turns; the fastest chunk of each counts."""
    rates = np.logspace(-4, -1, members).astype(np.float32)
    model = models.MLP((*hidden, 10))

    def one(hyperparameters: Any) -> Any:
        rate = hyperparameters["learning_rate"]
        return learners.supervised(model, losses.softmax_cross_entropy, optim.adam(rate))

    def session(learner: Any) -> Session:
        experiment = training.Experiment(learner, data.images("digits"))
        module = types.SimpleNamespace(experiment=lambda config: experiment)
        return Session(module, training.Config(batch_size=batch_size))

    alone = session(one({"learning_rate": float(rates[members // 2])}))
    together = session(training.population(one, {"learning_rate": rates}))
    times = [
        (alone.train(lengths[0]) / lengths[0], together.train(lengths[1]) / lengths[1])
        for lengths in [(400, max(2, 400 // members))] * repeats
    ]
    return Speed(members, *(min(column) for column in zip(*times, strict=True)))


@dataclasses.dataclass(frozen=True)
class Options:
    """Learning rates of the digits MLP side by side against one after another, both warm."""

    members: int = 64
    """How many learning rates."""
    hidden: tuple[int, ...] = (256, 128)
    """The width of each hidden layer."""
    batch_size: int = 128
    """Examples in a step."""


def main() -> None:
    import tyro

    options = tyro.cli(Options, prog="python -m dlcourse.tuning.speed")
    speed = side_by_side_speed(**dataclasses.asdict(options))
    print(
        f"{options.members} learning rates, {jax.device_count()} x {jax.devices()[0].device_kind}: "
        f"a step of all takes {1e3 * speed.together:.3g} ms side by side and "
        f"{1e3 * speed.alone * speed.members:.3g} ms one after another: {speed.ratio:.2f} times "
        "as fast." + ("" if speed.ratio > 1.1 else " For training alone it does not pay here.")
    )


if __name__ == "__main__":
    main()
