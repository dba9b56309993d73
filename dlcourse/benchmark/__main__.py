"""What the compiled training program of an experiment costs, measured as the loop runs it.

    python -m dlcourse.benchmark experiments/foundations/mnist_mlp.py
    python -m dlcourse.benchmark experiments/foundations/mnist_mlp.py --compare old.json
        -- --dataset mnist

What follows `--` are options of the experiment.
"""

import dataclasses
from typing import Any

from dlcourse.benchmark.command import Target, command
from dlcourse.benchmark.program import measure, time_lost


@dataclasses.dataclass(frozen=True)
class Options(Target):
    """Measures the training program of an experiment file."""

    seconds: float = 10.0
    """How long to train, after warming up."""
    logging: bool = False
    """Measure too what logging every step costs, on whole runs of 20 epochs."""


def _measures(options: Options, module: Any, config: Any) -> dict[str, Any]:
    figures = measure(module, config, options.seconds)
    if options.logging:
        short = dataclasses.replace(config, epochs=20.0)
        figures |= time_lost(module, short, {"logging": {"log_every": "1 step"}})
    return figures


if __name__ == "__main__":
    command(Options, "python -m dlcourse.benchmark", _measures)
