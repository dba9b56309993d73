"""The one training loop: it drives every learner, and nothing else in the project does."""

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

import jax
import numpy as np

from dlcourse import metrics
from dlcourse.errors import UsageError
from dlcourse.learner import require_honoured, without_optimizer
from dlcourse.training.clock import Clock
from dlcourse.training.config import Config
from dlcourse.training.engine import processes, sharding
from dlcourse.training.engine.feed import make_feed
from dlcourse.training.engine.population import over_seeds
from dlcourse.training.engine.programs import ChunkResult, Programs
from dlcourse.training.engine.window import Window
from dlcourse.training.experiment import Experiment
from dlcourse.training.run.checkpoints import Checkpoints
from dlcourse.training.run.diverged import one_population
from dlcourse.training.run.drawing import Drawing
from dlcourse.training.run.ends import Diverged, Ended, Interrupted
from dlcourse.training.run.folder import RunFolder
from dlcourse.training.run.hooks import Hooks
from dlcourse.training.run.interruption import Interruption
from dlcourse.training.run.labels import require_outputs
from dlcourse.training.run.screen import Silent
from dlcourse.training.run.selection import Selection
from dlcourse.training.run.written import Row

CHUNK_SECONDS = 0.5  # time of a chunk, and so the longest that a signal waits
MAX_CHUNK = 2**13


class Position(NamedTuple):
    """Where a run is.

    Attributes:
        step: how many steps were trained.
        state: the learner's state after them.
        window: training metrics since the last log point.
        best: the state with the best validation metric, without optimizers; None without patience.
    """

    step: int
    state: Any
    window: Window
    best: Any


class _Chunk(NamedTuple):
    """A chunk that the device works on; its metrics are logged while the next one runs."""

    closings: list[int]
    trained: ChunkResult


class Loop:
    """A run in progress. `run` reads from top to bottom."""

    def __init__(
        self,
        experiment: Experiment,
        config: Config,
        folder: RunFolder,
        mesh: jax.sharding.Mesh,
        screen: Silent,
        interruption: Interruption | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        """Traces the programs and compiles none.

        Raises:
            UserError: the learner does not honour an option, or does not measure the monitored
                metric.
        """
        self.experiment, self.config, self.folder, self.mesh = experiment, config, folder, mesh
        self.screen, self.hooks = screen, hooks or Hooks()
        # Not `interruption or ...`: before a signal it is false.
        self.interruption = Interruption() if interruption is None else interruption
        self.clock = Clock()
        self.drawing = Drawing(folder.figures, mesh, screen, self.clock)
        require_honoured(experiment.learner, config.policy)
        if "optimizer" not in experiment.learner.honours:
            config.require_default_optimization()
        data, single = experiment.data, config.seeds == 1
        self.total = config.total_steps(data)
        self.evaluations = config.cadence(config.evaluate_every, data)
        self.saves = config.cadence(config.checkpoint_every, data)
        self.logs = config.cadence(config.log_every, data)
        seeds = list(range(config.seed, config.seed + config.seeds))
        gap = 1 + int(min(self.evaluations.every, self.saves.every, self.total))
        capacity = min(MAX_CHUNK, gap)
        self.feed = make_feed(
            data, config.batch_size, seeds, single, capacity, mesh, config.skip_damaged
        )
        self.seeds = sharding.place(np.array(seeds[0] if single else seeds, np.int32), mesh)
        learner = experiment.learner if single else over_seeds(experiment.learner)
        closings = 1 + int(self.feed.capacity / self.logs.every)
        with self.clock("compiling"):  # it traces the learner
            self.programs = Programs(learner, self.feed, mesh, self.seeds, closings, self.clock)
        monitor = config.monitor or experiment.monitor
        self.selection = Selection(monitor, config.patience, self.programs.members, learner.parts)
        if "validation" in data.splits:
            self.selection.require_known(self.programs.totals)
        elif config.patience:
            raise UsageError(
                f"--patience needs a validation split, and '{data.name}' has none. Leave it out."
            )
        self._evaluated = 0
        self._begun, self._trained = 0.0, 0  # seconds and steps of training, in this process

    def run(self, checkpoints: Checkpoints) -> Position:
        """Trains from the newest checkpoint, or from the beginning, to the end."""
        at = self._begin(checkpoints)
        try:
            return self._train(checkpoints, at)
        except Diverged as diverged:
            checkpoints.wait()
            examples = self.feed.examples(diverged.step)
            self.folder.write_divergence(diverged.step, examples, checkpoints.newest)
            raise

    def begin(self) -> Position:
        """A new run.

        Raises:
            UserError: the data has labels that the learner has no output for.
        """
        processes.on_first(lambda: require_outputs(self.experiment.learner, self.experiment.data))
        state = self.programs.init()
        best = None
        if self.config.patience:  # the first evaluation replaces it
            best = jax.tree.map(lambda leaf: leaf.copy(), without_optimizer(state))
        return Position(0, state, self.programs.empty_window(), best)

    def like(self) -> dict[str, Any]:
        """Shapes and shardings of the tree in a checkpoint of this run."""
        like = {"learner": self.programs.state, "window": self.programs.window}
        if self.config.patience:
            like["best"] = without_optimizer(self.programs.state)
        return like

    def chunk(self, at: Position, length: int, closings: list[int]) -> ChunkResult:
        """Trains `length` steps; the metrics of those since the last of `closings` stay open."""
        with self.clock("input"):
            chunk = self.feed.training(at.step, length)
            closes = np.zeros(self.feed.capacity, bool)
            closes[[step - at.step - 1 for step in closings]] = True
            on_device = sharding.place(closes, self.mesh)
            first = self.programs.number(at.step)
        return self.programs.train(at.state, at.window, chunk, on_device, first)

    def measure(self, split: str, judged: Any) -> dict[str, Any]:
        """The metrics of a state without optimizers on all of a split, arrays `[*members]`."""
        totals = self.programs.totals
        with self.clock("evaluation"):
            for chunk in self.feed.evaluation(split):
                totals = self.programs.evaluate(judged, totals, chunk)
            return metrics.values(totals)

    @property
    def seconds(self) -> float:
        """Seconds of training alone: not compiling, evaluating, saving or drawing."""
        return sum(self.clock.seconds[name] for name in ("input", "steps", "logging"))

    def _begin(self, checkpoints: Checkpoints) -> Position:
        found = checkpoints.restore(self.like())
        if found is None:
            self.folder.rewind(-1)
            return self.begin()
        step, saved, progress = found
        self.folder.rewind(step)
        for activity, seconds in progress["seconds"].items():
            self.clock.seconds[activity] += seconds
        self._begun = self.seconds
        for row in self.folder.rows:
            if row["split"] == "validation":
                self.selection.judge(row)
                self._tell_of_evaluation(row)
        self.screen.say(f"Resuming from step {step} of {self.folder.path}")
        return Position(step, saved["learner"], saved["window"], saved.get("best"))

    def _train(self, checkpoints: Checkpoints, at: Position) -> Position:
        """Chunk after chunk to the end, to an early stop, or to a signal."""
        pending: _Chunk | None = None
        chunk_steps = 1
        while at.step < self.total and not self.selection.stopped:
            with self.clock("steps"):
                chunk_steps, stopping = processes.agree(chunk_steps, bool(self.interruption))
                if stopping:
                    self._log(pending)
                    self._stop(checkpoints, at)
                stop = min(self.evaluations.next(at.step), self.saves.next(at.step))
                length, closings = self._cut(at.step, min(chunk_steps, stop - at.step))
                trained = self.chunk(at, length, closings)
                # The device works on this chunk while the last one's metrics are logged.
                self._log(pending)
                pending = _Chunk(closings, trained)
                at = Position(at.step + length, trained.state, trained.open, at.best)
                self._trained += length
                if at.step == stop:
                    self._log(pending)
                    pending = None
            spent = max(self.seconds - self._begun, 1e-6)
            if self._trained > 1:
                chunk_steps = max(1, int(CHUNK_SECONDS * self._trained / spent))
            examples = self.config.batch_size * self.config.seeds
            self.screen.show(at.step, self._trained * examples / spent)
            if self.evaluations.is_due(at.step):
                at = at._replace(best=self._evaluate(at))
            if self.saves.is_due(at.step) or self.selection.stopped:
                self._save(checkpoints, at)
        return at

    def _cut(self, step: int, most: int) -> tuple[int, list[int]]:
        """The length of the next chunk, at most `most` steps, and the log points in it."""
        most = min(most, self.feed.capacity)
        closings: list[int] = []
        while len(closings) < self.programs.slots:
            due = self.logs.next(closings[-1] if closings else step)
            if due > step + most:
                return most, closings
            closings.append(due)
            if due == step + most:
                return most, closings
        return closings[-1] - step, closings  # no room for more

    def _stop(self, checkpoints: Checkpoints, at: Position) -> NoReturn:
        """Saves the step that all processes have reached, unless it is saved."""
        if at.step > 0 and at.step != checkpoints.newest:
            self._save(checkpoints, at)
        checkpoints.wait()
        by = self.interruption.signal or "a signal to another process"
        raise Interrupted(
            f"Stopped by {by} at step {at.step}/{self.total}; everything is saved. "
            f"The same command with --workdir {self.folder.path} resumes it."
        )

    def _log(self, chunk: _Chunk | None) -> None:
        """Logs every window that closed in a chunk."""
        if chunk is None:
            return
        closed, diverged_at = jax.device_get((chunk.trained.closed, chunk.trained.diverged_at))
        with self.clock("logging"):
            self.screen.started()
            for slot, step in enumerate(chunk.closings):
                if not 0 < diverged_at <= step:
                    sums = jax.tree.map(lambda leaf, slot=slot: leaf[slot], closed)
                    self.write(step, "train", metrics.values(sums))
        if diverged_at:
            raise Diverged(
                f"The training loss is not a finite number at step {diverged_at} (it diverged). "
                f"Nothing after the last checkpoint in {self.folder.path} is kept. "
                "Lower the learning rate or clip the gradients; to look at the step again:\n"
                f"  python -m dlcourse.training replay {self.folder.path} --step {diverged_at}",
                int(diverged_at),
            )

    def write(self, step: int, split: str, measured: Mapping[str, Any]) -> Row:
        measured = one_population(measured, self.programs.losses)
        row = self.folder.log(step, split, measured)
        self.screen.metrics(row)
        self.hooks.logged(row)
        return row

    def _evaluate(self, at: Position) -> Any:
        """Measures on the validation split, keeps the state if it is the best, draws snapshots."""
        best = at.best
        if "validation" in self.experiment.data.splits:
            judged = without_optimizer(at.state)
            row = self.write(at.step, "validation", self.measure("validation", judged))
            self.screen.show(at.step)
            improved = self.selection.judge(row)
            if best is not None and any(np.any(mask) for mask in jax.tree.leaves(improved)):
                with self.clock("evaluation"):
                    best = self.programs.select(best, judged, improved)
            self._tell_of_evaluation(row)
        self.drawing.states(
            self.experiment.snapshots, at.state, self.programs.members, f"_{at.step:08d}"
        )
        with self.clock("logging"):
            self.folder.flush()
            self.folder.write_events()
        return best

    def _tell_of_evaluation(self, row: Row) -> None:
        self._evaluated += 1
        if self.hooks.evaluated(self._evaluated, row):
            raise Ended

    def _save(self, checkpoints: Checkpoints, at: Position) -> None:
        with self.clock("saving"):
            self.folder.flush()
            tree = {"learner": at.state, "window": at.window}
            if at.best is not None:
                tree["best"] = at.best
            checkpoints.save(at.step, tree, {"seconds": dict(self.clock.seconds)})
        self.hooks.saved(at.step)
