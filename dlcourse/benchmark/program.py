"""Times the compiled training program of an experiment, run as the training loop runs it."""

import dataclasses
import pathlib
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import training
from dlcourse.training.clock import Clock
from dlcourse.training.engine import sharding
from dlcourse.training.engine.feed import make_feed
from dlcourse.training.engine.population import over_seeds
from dlcourse.training.engine.programs import Programs

CAPACITY = 512  # steps in the longest chunk
ROUNDS = 3  # how often each variant of a whole run is timed
SELDOM = dict.fromkeys(("log_every", "evaluate_every", "checkpoint_every"), "100%")
PEAK_SIZE = 2048  # rows and columns of the matrices in `matmul_peak`


def matmul_peak(repeats: int = 9) -> float:
    """FLOP/s of a product of large square float32 matrices: the practical peak of this device."""
    a = jnp.ones((PEAK_SIZE, PEAK_SIZE))
    product = jax.jit(lambda a: a @ a)
    product(a).block_until_ready()
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        product(a).block_until_ready()
        seconds.append(time.perf_counter() - begun)
    return 2 * PEAK_SIZE**3 / min(seconds)


class Session:
    """The compiled training program of an experiment, with its current state.

    Attributes:
        programs: the compiled programs.
        feed: the batches.
        state: the learner's state after `step` steps.
        step: the number of steps trained so far.
        waited: seconds in which the host prepared batches, since the warm-up.
    """

    def __init__(
        self,
        module: Any,
        config: Any,
        devices: Sequence[jax.Device] | None = None,
        capacity: int = CAPACITY,
    ) -> None:
        """Compiles as the training loop does, and trains two chunks to warm up.

        Args:
            module: the experiment, with `experiment(config)`.
            config: its config.
            devices: the devices of the mesh; all by default.
            capacity: the number of steps in the longest chunk.
        """
        experiment = module.experiment(config)
        mesh = sharding.make_mesh(config.mesh, devices)
        single = config.seeds == 1
        numbers = list(range(config.seed, config.seed + config.seeds))
        self.mesh, self.step, self.waited = mesh, 0, 0.0
        self.feed = make_feed(experiment.data, config.batch_size, numbers, single, capacity, mesh)
        seeds = sharding.place(np.array(numbers[0] if single else numbers, np.int32), mesh)
        learner = experiment.learner if single else over_seeds(experiment.learner)
        self.clock = Clock()
        self.programs = Programs(learner, self.feed, mesh, seeds, 1, self.clock)
        self.state, self.window = self.programs.init(), self.programs.empty_window()
        self.closes = sharding.place(np.zeros(self.feed.capacity, bool), mesh)
        self.train(self.feed.capacity)
        self.train(self.feed.capacity)
        self.waited = 0.0

    def train(self, length: int) -> float:
        """Trains a chunk of `length` steps, waits for it, and returns the seconds it took."""
        begun = time.perf_counter()
        chunk = self.feed.training(self.step, length)
        self.waited += time.perf_counter() - begun
        first = self.programs.number(self.step)
        trained = self.programs.train(self.state, self.window, chunk, self.closes, first)
        self.state, self.window = trained.state, trained.open
        self.step += length
        jax.device_get(trained.diverged_at)
        return time.perf_counter() - begun


def measure(module: Any, config: Any, seconds: float) -> dict[str, Any]:
    """Trains for `seconds` in chunks of about 50 ms, without a run folder.

    Returns:
        Figures by name:

        - compile_seconds, and compilations: how often the training program was compiled
        - step_ms_p50, step_ms_p95: quantiles over chunks of the mean time of a step
        - examples_per_second
        - flops_per_step: as counted by XLA
        - matmul_peak_gflops: the larger of two measurements, before and after training
        - matmul_share: the FLOP/s of the median step as a share of this peak
        - peak_memory_mb
        - input_wait_share: the share of the time in which the host prepared batches, so that the
          device may have waited
    """
    session = Session(module, config)
    per_step = session.train(session.feed.capacity) / session.feed.capacity
    length = int(np.clip(0.05 / per_step, 1, session.feed.capacity))
    peak, session.waited = matmul_peak(), 0.0
    recompiled = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if "backend_compile" in event:
            recompiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    chunks = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        chunks.append(session.train(length))
    compilations = 1 + len(recompiled)
    peak = max(peak, matmul_peak())
    examples, p50 = config.batch_size * config.seeds, statistics.median(chunks) / length
    return {
        "experiment": module.__name__,
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "jax": jax.__version__,
        "examples_per_step": examples,
        "compile_seconds": session.clock.seconds["compiling"],
        "compilations": compilations,
        "step_ms_p50": 1e3 * p50,
        "step_ms_p95": 1e3 * float(np.quantile(chunks, 0.95)) / length,
        "examples_per_second": examples * len(chunks) * length / sum(chunks),
        "flops_per_step": session.programs.flops,
        "matmul_peak_gflops": peak / 1e9,
        "matmul_share": session.programs.flops / p50 / peak,
        "peak_memory_mb": _peak_memory(),
        "input_wait_share": session.waited / sum(chunks),
    }


def time_lost(module: Any, config: Any, variants: Mapping[str, dict[str, Any]]) -> dict[str, float]:
    """How much longer whole runs take when they log, save or evaluate often.

    Every variant and a run without any are timed in turn. The minimum over the rounds counts,
    because other work on the machine only slows a run down. On a busy machine, differences of a
    few per cent are not significant.

    Args:
        module: the experiment.
        config: the config of all runs, which log, evaluate and save once, at the end.
        variants: by name, the fields of the config that differ.

    Returns:
        NAME_share for each variant: the additional time as a share of the time spent in training.
    """

    def timed_run(fields: dict[str, Any]) -> tuple[float, float]:
        with tempfile.TemporaryDirectory() as folder:
            quiet = {"workdir": pathlib.Path(folder), "progress": False}
            short = dataclasses.replace(config, **quiet, **SELDOM | fields)
            bare = dataclasses.replace(module.experiment(short), figures={}, snapshots={})
            begun = time.perf_counter()
            result = training.run(bare, short, name="benchmark", silent=True)
            wall = time.perf_counter() - begun - result.summary["compile_seconds"]
            return wall, result.summary["seconds"]

    runs = {"": {}, **variants}
    for fields in runs.values():
        timed_run(fields)  # warm up: imports and compilation
    rounds = [{name: timed_run(fields) for name, fields in runs.items()} for _ in range(ROUNDS)]
    fastest = {name: np.min([each[name] for each in rounds], axis=0) for name in runs}
    wall, trained = fastest.pop("")
    return {f"{n}_share": float((other - wall) / trained) for n, (other, _) in fastest.items()}


def _peak_memory() -> float:
    """Peak memory in MB: of the device, or of the process if the device does not report any."""
    import resource

    stats = jax.devices()[0].memory_stats()
    if stats and "peak_bytes_in_use" in stats:
        return stats["peak_bytes_in_use"] / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
