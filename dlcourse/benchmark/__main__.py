"""Measures the compiled training program of an experiment.

    python -m dlcourse.benchmark experiments/foundations/mnist_mlp.py
    python -m dlcourse.benchmark experiments/foundations/mnist_mlp.py --compare old.json
        -- --dataset mnist

The options after `--` go to the experiment.
"""

import dataclasses
from typing import Any

from dlcourse.benchmark.command import Target, run_command
from dlcourse.benchmark.program import measure, time_lost


@dataclasses.dataclass(frozen=True)
class Options(Target):
    """Measures the training program of an experiment. Options after `--` go to the experiment."""

    seconds: float = 10.0
    """How long to train after warming up."""
    logging: bool = False
    """Also measure the cost of logging every step, on whole runs of 20 epochs."""


def measure_program(options: Options, module: Any, config: Any) -> dict[str, Any]:
    """The figures of `measure`, and with `--logging` the logging_share of `time_lost`."""
    figures = measure(module, config, options.seconds)
    if options.logging:
        short = dataclasses.replace(config, epochs=20.0)
        figures |= time_lost(module, short, {"logging": {"log_every": "1 step"}})
    return figures


if __name__ == "__main__":
    run_command(Options, "python -m dlcourse.benchmark", measure_program)
