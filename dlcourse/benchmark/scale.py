"""What scale costs: more devices, checkpoints, logging, streaming, a start; as shares and ratios.

    python -m dlcourse.benchmark.scale experiments/vision/digits_cnn.py -- --batch-size 512

What is compared is measured in turn, in one process, so that other work on the machine slows both.
What follows `--` are options of the experiment.
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

from dlcourse import benchmark
from dlcourse.errors import UserError
from dlcourse.training.run.checkpoints import Checkpoints

CHUNK = 8  # steps between two looks at the clock: what a streamed chunk has at most
CHUNKS = 25
SAVES = 9


@dataclasses.dataclass(frozen=True)
class Options(benchmark.Target):
    """Measures what scale costs an experiment file."""

    devices: tuple[int, ...] = (1, 2, 4, 8)
    """Over how many devices the same batch is spread; on a CPU they are simulated."""
    steps: int = 300
    """The length of the runs that save, log or stream."""
    only_devices: bool = False
    """Measure the devices that this process has, and nothing else."""


def over_devices(module: Any, config: Any, counts: tuple[int, ...]) -> dict[str, Any]:
    """The same global batch on some of the devices, a chunk on each in turn.

    Returns:
        step_ms on the fewest devices, and of each other number step_ratio, its time by that one:
        on accelerators below 1; simulated devices share the cores of one, so that what exceeds 1
        is the overhead of sharding.
    """
    here = jax.devices()
    counts = tuple(count for count in counts if count <= len(here))
    spread = dataclasses.replace(config, mesh="data=-1")
    sessions = {n: benchmark.Session(module, spread, here[:n], CHUNK) for n in counts}
    seconds: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(CHUNKS):
        for count, session in sessions.items():
            seconds[count].append(session.train(CHUNK) / CHUNK)
    step = {count: statistics.median(times) for count, times in seconds.items()}
    first, *more = counts
    figures: dict[str, Any] = {f"step_ms_on_{first}": 1e3 * step[first]}
    return figures | {f"step_ratio_on_{count}": step[count] / step[first] for count in more}


def _with_simulated_devices(most: int) -> dict[str, Any]:
    """`over_devices` in a process of its own: the number of devices is fixed when JAX starts."""
    own, others = benchmark.split_arguments()
    with tempfile.TemporaryDirectory() as folder:
        figures = pathlib.Path(folder) / "figures.json"
        again = [*own, "--only-devices", "--json", str(figures), "--", *others]
        _run([sys.executable, "-m", "dlcourse.benchmark.scale", *again], JAX_NUM_CPU_DEVICES=most)
        return json.loads(figures.read_text())


def saving(session: benchmark.Session) -> dict[str, float]:
    """How long training stands still for a save, which goes on while the next steps are trained.

    Returns:
        save_ms; save_share_of_100_steps, by the time that those take.
    """
    stood, steps = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        Checkpoints(pathlib.Path(folder) / "checkpoints") as checkpoints,
    ):
        for number in range(1, SAVES + 1):
            steps.append(session.train(CHUNK) / CHUNK)
            begun = time.perf_counter()
            checkpoints.save(number, {"learner": session.state}, {})
            stood.append(time.perf_counter() - begun)
    save, step = statistics.median(stood), statistics.median(steps)
    return {"save_ms": 1e3 * save, "save_share_of_100_steps": save / (100 * step)}


def start(script: pathlib.Path) -> dict[str, float]:
    """From the start of a process to the end of its first step, twice with one compilation cache.

    Returns:
        start_seconds with nothing cached; restart_seconds and their ratio.
    """
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for number in ("1", "2"):
            place = pathlib.Path(folder) / number
            short = ["--steps", "8", "--no-progress", "--workdir", str(place)]
            _run(
                [sys.executable, str(script), *short, *benchmark.split_arguments()[1]],
                JAX_COMPILATION_CACHE_DIR=f"{folder}/cache",
                JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0,
                JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1,
            )
            seconds.append(json.loads((place / "summary.json").read_text())["start_seconds"])
    cold, warm = seconds
    return {"start_seconds": cold, "restart_seconds": warm, "restart_ratio": warm / cold}


def _run(command: list[str], **environment: object) -> None:
    given = {name: str(value) for name, value in environment.items()}
    done = subprocess.run(
        command, env=os.environ | given, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UserError(f"A part of the benchmark failed: {done.stderr.strip()[-500:]}")


def measures(options: Options, module: Any, config: Any) -> dict[str, Any]:
    """All figures.

    Returns:
        Those of `over_devices`, `saving` and `start`; checkpoint_share, the time that a run loses
        which saves every 100 steps; logging_share, one which logs every step; stream_share, one
        which streams its examples instead of having them on the device; input_wait_share, the part
        of a streamed step in which the host took up the next batch and the device may have waited.

    A save and a logged row take a time of their own, so these shares hold for steps as long as
    those that were measured.
    """
    described = {
        "experiment": module.__name__,
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "jax": jax.__version__,
    }
    if options.only_devices:
        return described | over_devices(module, config, options.devices)
    lost = benchmark.time_lost(
        module,
        dataclasses.replace(config, steps=options.steps),
        {
            "checkpoint": {"checkpoint_every": "100 steps"},
            "logging": {"log_every": "1 step"},
            "stream": {"stream": True},
        },
    )
    streamed = benchmark.Session(module, dataclasses.replace(config, stream=True), None, CHUNK)
    seconds = sum(streamed.train(CHUNK) for _ in range(CHUNKS))
    return {
        **_with_simulated_devices(max(options.devices)),
        **described,
        **lost,
        **saving(benchmark.Session(module, config, None, CHUNK)),
        "input_wait_share": streamed.waited / seconds,
        **start(options.experiment),
    }


if __name__ == "__main__":
    benchmark.command(Options, "python -m dlcourse.benchmark.scale", measures)
