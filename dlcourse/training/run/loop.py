"""The one training loop: it drives every learner, and nothing else in the project does."""

import dataclasses
import math
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jax
import numpy as np
import psutil

from dlcourse.errors import UsageError, UserError
from dlcourse.metrics import Mean
from dlcourse.training.commands.dry_run import describe
from dlcourse.training.commands.replay import replay
from dlcourse.training.config import Config
from dlcourse.training.engine import processes, sharding
from dlcourse.training.engine.feed import make_feed
from dlcourse.training.engine.population import over_seeds
from dlcourse.training.engine.programs import Programs, compile_programs, without_optimizer
from dlcourse.training.experiment import Experiment
from dlcourse.training.run.checkpoints import Checkpoints
from dlcourse.training.run.curves import draw_curves, save_figure
from dlcourse.training.run.folder import RunFolder, new_folder
from dlcourse.training.run.interruption import Interruption
from dlcourse.training.run.screen import Screen
from dlcourse.training.run.selection import Selection

CHUNK_SECONDS = 0.5  # how long the loop stays on the device: a signal waits no longer than that
MAX_CHUNK = 2**13


class Interrupted(Exception):
    """A signal stopped the run; its state is saved and the run can go on."""


class Described(Exception):
    """What was asked about a run, in place of training, has been said."""


class Diverged(UserError):
    """The training loss of every member stopped being a number."""


@dataclasses.dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes:
        summary: what `summary.json` holds.
        state: the learner's final state; with `patience`, the best one without its optimizer.
        folder: the run folder.
        measure: from a split to the metrics of this state on all of it, arrays `[*members]`. What
            the summary says of the train split was seen on the way, with dropout, augmentation and
            weights that were changing; `measure("train")` is free of them.
        seeds: how many there were; of more than one, the state begins with their axis.
    """

    summary: dict
    state: Any
    folder: RunFolder
    measure: Callable[[str], dict[str, np.ndarray]]
    seeds: int

    def by_seed(self) -> list[Any]:
        """The state of each seed by itself."""
        if self.seeds == 1:
            return [self.state]
        return [jax.tree.map(lambda leaf, i=i: leaf[i], self.state) for i in range(self.seeds)]

    def values(self, split: str, metric: str) -> np.ndarray:
        """A final metric of every member of the run, `[members]`; of one run, `[1]`."""
        return _members(self.summary["metrics"][split][metric])

    def curve(self, split: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """A metric as it was logged: the steps, and of every member `[times, members]`."""
        rows = [row for row in self.folder.rows if row["split"] == split]
        steps = np.array([row["step"] for row in rows])
        return steps, np.stack([_members(row[metric]) for row in rows])


def run(
    experiment: Experiment,
    config: Config,
    *,
    name: str,
    interruption: Interruption | None = None,
) -> Result:
    """Trains, evaluates, saves and reports; goes on where the run folder stopped.

    Args:
        experiment: learner and data.
        config: durations, seeds, mesh and the run folder.
        name: the experiment's name, for the run folder and the screen.
        interruption: truthy once the run should stop; see `interruption.listen`.

    Raises:
        Interrupted: a signal came; everything is saved.
        UserError: something outside is wrong; the message says what.
    """
    mesh = sharding.make_mesh(config.mesh)
    across = mesh.shape["data"] * mesh.shape["fsdp"]
    if config.batch_size % across:
        raise UsageError(
            f"--batch-size {config.batch_size} does not divide over {across} devices; "
            "choose a multiple or another --mesh."
        )
    path = processes.on_first(lambda: str(config.workdir or new_folder(name)))
    folder = RunFolder(pathlib.Path(path))
    # Not `interruption or ...`: one that has not come yet is false.
    listening = Interruption() if interruption is None else interruption
    if config.dry_run or config.replay is not None:
        if config.replay is not None:
            folder.require(config, name)
        screen = Screen(config.total_steps(experiment.data), live=False)
        loop = Loop(experiment, config, name, folder, mesh, screen, listening)
        asked = (
            describe(loop.programs, mesh) if config.replay is None else replay(loop, config.replay)
        )
        for line in asked:
            screen.say(line)
        raise Described
    try:
        processes.on_first(lambda: folder.open(config, name))
        with Screen(config.total_steps(experiment.data), config.progress) as screen:
            loop = Loop(experiment, config, name, folder, mesh, screen, listening)
            with Checkpoints(folder.checkpoints, config.keep) as checkpoints:
                return loop.run(checkpoints)
    except OSError as error:
        raise UserError(
            f"{folder.path} could not be written ({error.strerror or error}). "
            "What was saved stands; make room and start the same command again."
        ) from error
    finally:
        folder.close()


class Loop:
    """The state of one run while it goes on. `run` reads from top to bottom."""

    def __init__(
        self,
        experiment: Experiment,
        config: Config,
        name: str,
        folder: RunFolder,
        mesh: jax.sharding.Mesh,
        screen: Screen,
        interruption: Interruption,
    ) -> None:
        self.experiment, self.config, self.name = experiment, config, name
        self.folder, self.screen, self.interruption = folder, screen, interruption
        self.mesh = mesh
        data, single = experiment.data, config.seeds == 1
        self.total = config.total_steps(data)
        self.evaluations = config.boundaries(config.evaluate_every, data)
        self.saves = config.boundaries(config.checkpoint_every, data)
        self.logs = config.boundaries(config.log_every, data)
        seeds = list(range(config.seed, config.seed + config.seeds))
        stops = np.array([0, *sorted({*self.evaluations, *self.saves})])
        self.feed = make_feed(
            data,
            config.batch_size,
            seeds,
            single,
            min(MAX_CHUNK, int(np.diff(stops).max())),
            mesh,
            config.skip_damaged,
        )
        self.seeds = sharding.place(np.array(seeds[0] if single else seeds, np.int32), mesh)
        learner = experiment.learner if single else over_seeds(experiment.learner)
        self.programs: Programs = compile_programs(
            learner, self.feed, mesh, self.seeds, self.feed.training(0, 1)
        )
        self.selection = Selection(experiment.monitor, config.patience, self.programs.members)
        self.window = _Window(self.programs.metrics)
        self.start_seconds: float | None = None  # from the process's start to its first chunk's end
        self.diverged_at = 0
        self.seconds, self.trained = 0.0, 0  # of training alone, in this process

    def run(self, checkpoints: Checkpoints) -> Result:
        step, state, best, before = self._begin(checkpoints)
        try:
            step, state, best = self._train(checkpoints, step, state, best, before)
        except Diverged:
            checkpoints.wait()
            step = self.diverged_at
            self.folder.write_divergence(step, self.examples(step), checkpoints.newest)
            raise
        return self._finish(step, state, best, before)

    def _begin(self, checkpoints: Checkpoints) -> tuple[int, Any, Any, float]:
        """A new state, or the saved one: step, state, best state, seconds spent before."""
        found = checkpoints.restore(self.like())
        if found is None:
            self.folder.rewind(-1)
            state = self.programs.init(self.seeds)
            return 0, state, self._no_best(state), 0.0
        step, saved, progress = found
        self.folder.rewind(step)
        self.window.restore(progress["window"])
        self.logs = [due for due in self.logs if due > step]
        for row in self.folder.rows:
            if row["split"] == "validation":
                self.selection.judge(row)
        self.screen.say(f"Going on from step {step} of {self.folder.path}")
        return step, saved["learner"], saved.get("best"), progress["seconds"]

    def like(self) -> dict[str, Any]:
        """Shapes and shardings of what a checkpoint of this run holds."""
        like = {"learner": self.programs.state}
        if self.config.patience:
            like["best"] = without_optimizer(self.programs.state)
        return like

    def chunk(self, state: Any, step: int, length: int) -> tuple[Any, Any]:
        """Trains `length` steps after `step`: the new state, and the metrics of each step."""
        chunk = self.feed.training(step, length)
        first, count = self._number(step), self._number(length)
        # All that a chunk needs is on the device; a transfer in it would be a mistake.
        with jax.transfer_guard_host_to_device("disallow"):
            return self.programs.train(
                state, self.feed.arrays, chunk.rows, first, count, self.seeds
            )

    def examples(self, step: int) -> list:
        """The numbers of the examples that a step trains on, of every seed."""
        seeds = range(self.config.seed, self.config.seed + self.config.seeds)
        data, size = self.experiment.data, self.config.batch_size
        return [data.batch_indices(step - 1, 1, size, seed)[0].tolist() for seed in seeds]

    def _no_best(self, state: Any) -> Any:
        """Room for the best state, where one is kept; the first evaluation fills it."""
        if not self.config.patience:
            return None
        return jax.tree.map(lambda leaf: leaf.copy(), without_optimizer(state))

    def _train(
        self, checkpoints: Checkpoints, step: int, state: Any, best: Any, before: float
    ) -> tuple[int, Any, Any]:
        """Chunk after chunk to the end, to an early stop, or to a signal."""
        stops = sorted({*self.evaluations, *self.saves})
        evaluations, saves = set(self.evaluations), set(self.saves)
        pending: tuple[int, int, Any] | None = None
        chunk_steps, clock = 1, time.perf_counter()
        while not self._done(step):
            chunk_steps, stopping = processes.agree(chunk_steps, bool(self.interruption))
            if stopping:
                if pending:
                    self._log(*pending)
                self._stop(checkpoints, step, state, best, before)
            stop = next(s for s in stops if s > step)
            length = min(chunk_steps, stop - step, self.feed.capacity)
            state, metrics = self.chunk(state, step, length)
            # The device works on this chunk while the last one's metrics are logged.
            if pending:
                self._log(*pending)
            pending = (step, length, metrics)
            step += length
            now = time.perf_counter()
            self.seconds, self.trained = self.seconds + now - clock, self.trained + length
            clock = now
            if step in evaluations or step in saves:
                self._log(*pending)
                pending = None
                now = time.perf_counter()
                self.seconds, clock = self.seconds + now - clock, now
            if self.trained > 1:
                chunk_steps = max(1, int(CHUNK_SECONDS * self.trained / max(self.seconds, 1e-6)))
            if step in evaluations:
                best = self._evaluate(step, state, best)
            if step in saves or self.selection.stopped:
                self._save(checkpoints, step, state, best, before)
            if step in evaluations or step in saves:
                clock = time.perf_counter()
        return step, state, best

    def _stop(
        self, checkpoints: Checkpoints, step: int, state: Any, best: Any, before: float
    ) -> NoReturn:
        """Saves the step that all processes have come to, unless it is saved."""
        if step > 0 and step != checkpoints.newest:
            self._save(checkpoints, step, state, best, before)
        checkpoints.wait()
        by = self.interruption.signal or "a signal to another process"
        raise Interrupted(
            f"Stopped by {by} at step {step}/{self.total}; everything is saved. "
            f"The same command with --workdir {self.folder.path} goes on."
        )

    def _number(self, value: int) -> jax.Array:
        return sharding.place(np.int32(value), self.mesh)

    def _done(self, step: int) -> bool:
        return step >= self.total or self.selection.stopped

    def _log(self, first_step: int, length: int, metrics: Any) -> None:
        """Adds a chunk's metrics to the open window and logs every window that closes in it."""
        host = jax.device_get(metrics)
        if self.start_seconds is None:
            self.start_seconds = time.time() - psutil.Process().create_time()
        for i in range(length):
            step = first_step + i + 1
            self.window.add(jax.tree.map(lambda leaf, i=i: leaf[i], host))
            if self.window.diverged():
                self.diverged_at = step
                raise Diverged(
                    f"The training loss is not a finite number at step {step} (it diverged). "
                    f"Nothing after the last checkpoint in {self.folder.path} is kept. "
                    "Lower the learning rate or clip the gradients; to look at the step again:\n"
                    f"  python -m dlcourse.training replay {self.folder.path} --step {step}"
                )
            if step >= self.logs[0]:
                self.logs = [later for later in self.logs if later > step]
                row = self.folder.log(step, "train", self.window.close())
        if self.folder.rows:
            row = self.folder.rows[-1]
            if row["split"] == "train":
                self.screen.show(first_step + length, row)

    def _evaluate(self, step: int, state: Any, best: Any) -> Any:
        """Measures on the validation split, keeps the state if it is the best, draws snapshots."""
        if "validation" in self.experiment.data.splits:
            judged = without_optimizer(state)
            row = self.folder.log(step, "validation", self.measure("validation", judged))
            self.screen.show(step, row)
            improved = self.selection.judge(row)
            if best is not None and improved.any():
                best = self.programs.select(best, judged, sharding.place(improved, self.mesh))
        self._draw(self.experiment.snapshots, state, f"_{step:08d}")
        self.folder.flush()
        self.folder.write_events()
        return best

    def measure(self, split: str, judged: Any) -> dict[str, Any]:
        totals = self.programs.totals
        for chunk in self.feed.evaluation(split):
            totals = self.programs.evaluate(
                judged, totals, self.feed.arrays, chunk.rows, self._number(chunk.length)
            )
        return _values(jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), totals))

    def _save(
        self, checkpoints: Checkpoints, step: int, state: Any, best: Any, before: float
    ) -> None:
        self.folder.flush()
        tree = {"learner": state} if best is None else {"learner": state, "best": best}
        progress = {"window": self.window.as_json(), "seconds": before + self.seconds}
        checkpoints.save(step, tree, progress)

    def _finish(self, step: int, state: Any, best: Any, before: float) -> Result:
        """Measures on the test split, draws, and sums up."""
        final = state if best is None else best
        judged = without_optimizer(final)
        test = {}
        if "test" in self.experiment.data.splits:
            test = {"test": self.folder.log(step, "test", self.measure("test", judged))}
        last: dict[str, Any] = {
            row["split"]: row for row in self.folder.rows if row["split"] != "test"
        }
        best_row = self.selection.best_row(self.folder.rows)
        if best is not None and best_row is not None:
            last["validation"] = best_row
        seconds = before + self.seconds
        summary = {
            "experiment": self.name,
            "parameters": _count_parameters(state, self.programs.members),
            "steps": step,
            "seconds": seconds,
            "start_seconds": self.start_seconds,
            "compile_seconds": self.programs.seconds,
            "examples_per_second": step
            * self.config.batch_size
            * self.config.seeds
            / max(seconds, 1e-9),
            "metrics": {split: _metrics(row) for split, row in (last | test).items()},
            "best": self.selection.summary(),
        }
        self.folder.flush()
        self.folder.write_events()
        if processes.is_first():
            draw_curves(self.folder.rows, self.folder.figures / "curves.png")
        self._draw(self.experiment.figures, final, "")
        self.folder.write_summary(summary)
        self.screen.results(summary, self.folder.path)
        return Result(
            summary,
            final,
            self.folder,
            lambda split: self.measure(split, judged),
            self.config.seeds,
        )

    def _draw(self, figures: Mapping[str, Any], state: Any, suffix: str) -> None:
        """Draws the first member of a population; the others are like it."""
        if not figures:
            return
        state = processes.on_host(state, self.mesh)
        if not processes.is_first():
            return
        first = jax.tree.map(lambda leaf: leaf[(0,) * len(self.programs.members)], state)
        for name, draw in figures.items():
            save_figure(draw(first), self.folder.figures / f"{name}{suffix}")


class _Window:
    """Training metrics since the last logged row: sums in float64, added step by step.

    It is saved with a checkpoint, so a run that stops within a window logs the same row later.

    Attributes:
        sums: a metric by name, its sums as float64; zeros of those shapes begin a window.
    """

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        self._empty = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float64), dict(metrics))
        self.sums = self._empty

    def add(self, metrics: Mapping[str, Any]) -> None:
        self.sums = jax.tree.map(np.add, self.sums, metrics)

    def diverged(self) -> bool:
        """Whether some metric is no longer finite for any member."""
        return any(
            not np.isfinite(metric.total).any()
            for metric in self.sums.values()
            if isinstance(metric, Mean)
        )

    def close(self) -> dict[str, Any]:
        """The values of the window, which begins anew."""
        values = _values(self.sums)
        self.sums = self._empty
        return values

    def as_json(self) -> list:
        return [leaf.tolist() for leaf in jax.tree.leaves(self.sums)]

    def restore(self, saved: list) -> None:
        leaves = [np.asarray(leaf, np.float64) for leaf in saved]
        self.sums = jax.tree.unflatten(jax.tree.structure(self._empty), leaves)


def _values(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each metric; not a number where nothing was counted."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: np.asarray(metric.value) for name, metric in metrics.items()}


def _members(logged: Any) -> np.ndarray:
    """A logged metric of every member; JSON's null is not a number."""
    values = logged["values"] if isinstance(logged, Mapping) else logged
    return np.array(values, np.float64).reshape(-1)


def _metrics(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("step", "split")}


def _count_parameters(state: Any, members: tuple[int, ...]) -> int:
    """Weights of one member: what lies under `params` in the state, or all of it."""
    leaves = [
        (sharding.path_name(path).split("/"), leaf.size)
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    ]
    weights = [size for path, size in leaves if "params" in path and "opt_state" not in path]
    return sum(weights or [size for _, size in leaves]) // math.prod(members)
