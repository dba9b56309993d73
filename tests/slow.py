"""A convex problem whose examples are read slowly, so that a test can stop it in the middle.

Rounding differs between topologies; here it does not grow, so final parameters can be compared.
Every example that is read leaves its number in `reads-<process>` of the run folder's parent.
"""

import dataclasses
import pathlib
import sys
import time

import jax
import numpy as np

from dlcourse import data, learners, losses, models, optim, training
from dlcourse.training.engine import processes


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Softmax regression on handwritten digits, slowly."""

    pause: float = 0.004
    """Seconds that an example takes to read."""
    batch_size: int = 8
    steps: int | None = 200
    evaluate_every: str = "100 steps"
    checkpoint_every: str = "20 steps"
    log_every: str = "10 steps"
    fatal: int | None = None
    """An example that cannot be decoded."""
    heartbeat: int = processes.HEARTBEAT_SECONDS
    """After how many seconds a process that hangs is noticed."""


class Slow:
    """Digits that take a while to read."""

    def __init__(self, config: Config) -> None:
        self.digits = data.images("digits").examples
        self.config = config
        self.reads = pathlib.Path(f"reads-{jax.process_index()}")

    def __len__(self) -> int:
        return len(self.digits["label"])

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        time.sleep(self.config.pause)
        if index == self.config.fatal:
            raise ValueError("not an image")
        with self.reads.open("a") as file:
            file.write(f"{index}\n")
        return {name: array[index] for name, array in self.digits.items()}


def experiment(config: Config) -> training.Experiment:
    digits = data.images("digits")
    slow = dataclasses.replace(digits, examples=Slow(config))
    learner = learners.supervised(
        models.MLP((10,)), losses.softmax_cross_entropy, config.rule_of(optim.sgd(0.05))
    )
    return training.Experiment(learner, slow)


if __name__ == "__main__":
    if "--heartbeat" in sys.argv:  # read by JAX before the command line is parsed
        processes.HEARTBEAT_SECONDS = int(sys.argv[sys.argv.index("--heartbeat") + 1])
    training.main(experiment, Config)
