"""What the compiled training program of an experiment costs, measured as the loop runs it.

    python -m dlcourse.benchmark experiments/mnist_mlp.py
    python -m dlcourse.benchmark experiments/mnist_mlp.py --compare old.json -- --dataset mnist

What follows `--` are options of the experiment.
"""

import contextlib
import dataclasses
import io
import json
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from dlcourse import training
from dlcourse.errors import UserError
from dlcourse.training import command_line, sharding
from dlcourse.training.feed import make_feed
from dlcourse.training.population import over_seeds
from dlcourse.training.programs import compile_programs

CAPACITY = 512  # steps in the longest chunk
ROUNDS = 3  # of whole runs in turn
SELDOM = dict.fromkeys(("log_every", "evaluate_every", "checkpoint_every"), "100%")
PEAK_SIZE = 2048  # of the square matrices whose product tells the device's peak


@dataclasses.dataclass(frozen=True)
class Target:
    """What every benchmark of an experiment is told."""

    experiment: Annotated[pathlib.Path, tyro.conf.Positional]
    """The experiment file."""
    json: pathlib.Path | None = None
    """Write the figures to this file."""
    compare: pathlib.Path | None = None
    """Print the ratio to the figures of an earlier --json."""


@dataclasses.dataclass(frozen=True)
class Options(Target):
    """Measures the training program of an experiment file."""

    seconds: float = 10.0
    """How long to train, after warming up."""
    logging: bool = False
    """Measure too what logging every step costs, on whole runs of 20 epochs."""


T = TypeVar("T", bound=Target)


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


def report(figures: dict[str, Any], earlier: dict[str, Any] | None) -> None:
    """The figures as a table, with their ratio to earlier ones."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{figures['experiment']} on {figures['device']}, jax {figures['jax']}")
    for column in ("", "now", *(("before", "ratio") if earlier else ())):
        table.add_column(column, justify="right" if column else "left")
    for name, value in figures.items():
        if isinstance(value, str):
            continue
        cells = [name.replace("_", " "), f"{value:,.4g}"]
        if earlier:
            before = earlier.get(name)
            cells.append("" if before is None else f"{before:,.4g}")
            cells.append(f"{value / before:.2f}" if before else "")
        table.add_row(*cells)
    Console(highlight=False).print(table)


def split_arguments() -> tuple[list[str], list[str]]:
    """The benchmark's own arguments, and those of the experiment after `--`."""
    args = sys.argv[1:]
    middle = args.index("--") if "--" in args else len(args)
    return args[:middle], args[middle + 1 :]


def command(kind: type[T], prog: str, measures: Callable[[T, Any, Any], dict[str, Any]]) -> None:
    """A command line: measures an experiment, prints the figures, keeps and compares them.

    Args:
        kind: the options; they name the `experiment` and the files `json` and `compare`.
        prog: what the command is called.
        measures: from the options, the experiment's module and its config to figures by name.
    """
    own, others = split_arguments()
    options = tyro.cli(kind, args=own, prog=prog)
    try:
        module = command_line.load_experiment(options.experiment)
        config = command_line.parse(module.Config, others)
        command_line.prepare_process(config)
        earlier = json.loads(options.compare.read_text()) if options.compare else None
        figures = measures(options, module, config)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    report(figures, earlier)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _measures(options: Options, module: Any, config: Any) -> dict[str, Any]:
    figures = measure(module, config, options.seconds)
    if options.logging:
        short = dataclasses.replace(config, epochs=20.0)
        figures |= time_lost(module, short, {"logging": {"log_every": "1 step"}})
    return figures


if __name__ == "__main__":
    command(Options, "python -m dlcourse.benchmark", _measures)
