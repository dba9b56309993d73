"""Measures the cost of scale: devices, checkpoints, logging, streaming and starting.

    python -m dlcourse.benchmark.scale experiments/vision/digits_cnn.py -- --batch-size 512

The figures are shares and ratios. Both sides of a comparison are measured in turn in one process,
so that other work on the machine slows both. The options after `--` go to the experiment.
"""

import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import jax

from dlcourse.benchmark.command import Target, run_command, split_arguments
from dlcourse.benchmark.program import Session, time_lost
from dlcourse.errors import UserError
from dlcourse.training.run.checkpoints import Checkpoints

CHUNK = 8  # steps in one measurement: the maximum of a streamed chunk
CHUNKS = 25  # measurements
SAVES = 9


@dataclasses.dataclass(frozen=True)
class Options(Target):
    """Measures the cost of scale. Options after `--` go to the experiment."""

    devices: tuple[int, ...] = (1, 2, 4, 8)
    """The numbers of devices that share the same batch; simulated on a CPU."""
    steps: int = 300
    """The length in steps of the runs that save, log or stream."""
    only_devices: bool = False
    """Only compare numbers of devices, with the devices of this process."""


def over_devices(module: Any, config: Any, counts: tuple[int, ...]) -> dict[str, Any]:
    """Times the same global batch on different numbers of devices, a chunk on each in turn.

    Returns:
        step_ms_on_N for the smallest number N of devices, and step_ratio_on_M for every other M:
        its time divided by that of N. On accelerators the ratio is below 1. Simulated devices
        share the cores of one CPU, so the excess over 1 is the overhead of sharding.
    """
    available = jax.devices()
    counts = tuple(count for count in counts if count <= len(available))
    sharded = dataclasses.replace(config, mesh="data=-1")
    sessions = {n: Session(module, sharded, available[:n], CHUNK) for n in counts}
    seconds: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(CHUNKS):
        for count, session in sessions.items():
            seconds[count].append(session.train(CHUNK) / CHUNK)
    step = {count: statistics.median(times) for count, times in seconds.items()}
    first, *more = counts
    figures: dict[str, Any] = {f"step_ms_on_{first}": 1e3 * step[first]}
    return figures | {f"step_ratio_on_{count}": step[count] / step[first] for count in more}


def _with_simulated_devices(number: int) -> dict[str, Any]:
    """`over_devices` in another process: the number of devices is fixed when JAX starts."""
    own, of_experiment = split_arguments()
    with tempfile.TemporaryDirectory() as folder:
        figures = pathlib.Path(folder) / "figures.json"
        arguments = [*own, "--only-devices", "--json", str(figures), "--", *of_experiment]
        command = [sys.executable, "-m", "dlcourse.benchmark.scale", *arguments]
        _run(command, JAX_NUM_CPU_DEVICES=number)
        return json.loads(figures.read_text())


def saving(session: Session) -> dict[str, float]:
    """How long an asynchronous save blocks training.

    Returns:
        save_ms, and save_share_of_100_steps: save_ms divided by the time of 100 steps.
    """
    blocked, steps = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        Checkpoints(pathlib.Path(folder) / "checkpoints") as checkpoints,
    ):
        for number in range(1, SAVES + 1):
            steps.append(session.train(CHUNK) / CHUNK)
            begun = time.perf_counter()
            checkpoints.save(number, {"learner": session.state}, {})
            blocked.append(time.perf_counter() - begun)
    save, step = statistics.median(blocked), statistics.median(steps)
    return {"save_ms": 1e3 * save, "save_share_of_100_steps": save / (100 * step)}


def start(script: pathlib.Path) -> dict[str, float]:
    """The time from the start of a process to the end of its first step, without and with a cache.

    Returns:
        start_seconds with an empty compilation cache, restart_seconds with the cache that the
        first process filled, and restart_ratio.
    """
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for number in ("1", "2"):
            workdir = pathlib.Path(folder) / number
            short = ["--steps", "8", "--no-progress", "--workdir", str(workdir)]
            _run(
                [sys.executable, str(script), *short, *split_arguments()[1]],
                JAX_COMPILATION_CACHE_DIR=f"{folder}/cache",
                JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0,
                JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1,
            )
            seconds.append(json.loads((workdir / "summary.json").read_text())["start_seconds"])
    cold, warm = seconds
    return {"start_seconds": cold, "restart_seconds": warm, "restart_ratio": warm / cold}


def _run(command: list[str], **environment: object) -> None:
    variables = {name: str(value) for name, value in environment.items()}
    done = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UserError(f"A process of the benchmark failed: {done.stderr.strip()[-500:]}")


def measure_scale(options: Options, module: Any, config: Any) -> dict[str, Any]:
    """Measures everything.

    The cost of a save or of a logged row does not depend on the step, so the shares hold only for
    steps of the measured length.

    Returns:
        The figures of `over_devices`, `saving` and `start`, and:

        - checkpoint_share: the additional time of a run that saves every 100 steps
        - logging_share: of a run that logs every step
        - stream_share: of a run that streams its examples instead of keeping them on the device
        - input_wait_share: the share of a streamed step in which the host prepared the next batch,
          so that the device may have waited
    """
    described = {
        "experiment": module.__name__,
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "jax": jax.__version__,
    }
    if options.only_devices:
        return described | over_devices(module, config, options.devices)
    lost = time_lost(
        module,
        dataclasses.replace(config, steps=options.steps),
        {
            "checkpoint": {"checkpoint_every": "100 steps"},
            "logging": {"log_every": "1 step"},
            "stream": {"stream": True},
        },
    )
    streamed = Session(module, dataclasses.replace(config, stream=True), None, CHUNK)
    seconds = sum(streamed.train(CHUNK) for _ in range(CHUNKS))
    return {
        **_with_simulated_devices(max(options.devices)),
        **described,
        **lost,
        **saving(Session(module, config, None, CHUNK)),
        "input_wait_share": streamed.waited / seconds,
        **start(options.experiment),
    }


if __name__ == "__main__":
    run_command(Options, "python -m dlcourse.benchmark.scale", measure_scale)
