"""The compiled training program of an experiment, timed as the loop runs it."""

import contextlib
import dataclasses
import io
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
from dlcourse.training.engine import sharding
from dlcourse.training.engine.feed import make_feed
from dlcourse.training.engine.population import over_seeds
from dlcourse.training.engine.programs import compile_programs

CAPACITY = 512  # steps in the longest chunk
ROUNDS = 3  # of whole runs in turn
SELDOM = dict.fromkeys(("log_every", "evaluate_every", "checkpoint_every"), "100%")
PEAK_SIZE = 2048  # of the square matrices whose product tells the device's peak


def matmul_peak(repeats: int = 9) -> float:
    """FLOP/s of a float32 product of large square matrices: what this device can reach at best."""
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
    """An experiment's compiled training program, and its state as it trains on."""

    def __init__(
        self,
        module: Any,
        config: Any,
        devices: Sequence[jax.Device] | None = None,
        capacity: int = CAPACITY,
    ) -> None:
        """Compiles as the loop does, and trains two chunks of `capacity` steps to warm up."""
        experiment = module.experiment(config)
        mesh = sharding.make_mesh(config.mesh, devices)
        single = config.seeds == 1
        numbers = list(range(config.seed, config.seed + config.seeds))
        self.mesh, self.step, self.waited = mesh, 0, 0.0
        self.feed = make_feed(experiment.data, config.batch_size, numbers, single, capacity, mesh)
        self.seeds = sharding.place(np.array(numbers[0] if single else numbers, np.int32), mesh)
        learner = experiment.learner if single else over_seeds(experiment.learner)
        self.programs = compile_programs(
            learner, self.feed, mesh, self.seeds, self.feed.training(0, 1)
        )
        self.state = self.programs.init(self.seeds)
        self.train(self.feed.capacity)
        self.train(self.feed.capacity)
        self.waited = 0.0

    def train(self, length: int) -> float:
        """Trains a chunk to its end; seconds it took."""
        begun = time.perf_counter()
        chunk = self.feed.training(self.step, length)
        self.waited += time.perf_counter() - begun
        first, count = (sharding.place(np.int32(n), self.mesh) for n in (self.step, length))
        self.state, metrics = self.programs.train(
            self.state, self.feed.arrays, chunk.rows, first, count, self.seeds
        )
        self.step += length
        jax.device_get(metrics)
        return time.perf_counter() - begun


def measure(module: Any, config: Any, seconds: float) -> dict[str, Any]:
    """Trains in chunks of about 50 ms, without a run folder.

    Returns:
        compile_seconds; compilations of the training program; step_ms_p50 and step_ms_p95, over
        the mean steps of the chunks; examples_per_second; flops_per_step as XLA counts them;
        matmul_peak_gflops, measured before and after; matmul_share, the part of that peak that the
        median step reaches; peak_memory_mb; input_wait_share, the part of the time in which the
        host prepared batches and the device may have waited.
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
        "compile_seconds": session.programs.seconds,
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
    """What it costs to do something often: whole runs that do, and runs that do not, in turn.

    Args:
        module: the experiment.
        config: of all runs; they log, evaluate and save once, at their end.
        variants: by name, the fields of the config by which a run differs.

    Returns:
        NAME_share: how much longer such a run takes, as a share of the time spent in training. The
        quickest of several counts: what else a machine does can only slow a run down. On a busy
        machine that is not enough to tell a few per cent.
    """

    def once(fields: dict[str, Any]) -> tuple[float, float]:
        with tempfile.TemporaryDirectory() as folder:
            place = {"workdir": pathlib.Path(folder), "progress": False}
            short = dataclasses.replace(config, **place, **SELDOM | fields)
            bare = dataclasses.replace(module.experiment(short), figures={}, snapshots={})
            begun = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):
                result = training.run(bare, short, name="benchmark")
            wall = time.perf_counter() - begun - result.summary["compile_seconds"]
            return wall, result.summary["seconds"]

    kinds = {"": {}, **variants}
    for fields in kinds.values():
        once(fields)  # what is imported and compiled on the way
    rounds = [{name: once(fields) for name, fields in kinds.items()} for _ in range(ROUNDS)]
    quickest = {name: np.min([each[name] for each in rounds], axis=0) for name in kinds}
    wall, trained = quickest.pop("")
    return {f"{n}_share": float((other - wall) / trained) for n, (other, _) in quickest.items()}


def _peak_memory() -> float:
    """MB at the most: the device's own count, or the process's where the device keeps none."""
    import resource

    stats = jax.devices()[0].memory_stats()
    if stats and "peak_bytes_in_use" in stats:
        return stats["peak_bytes_in_use"] / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
