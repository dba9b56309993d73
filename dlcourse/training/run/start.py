"""One run from start to finish."""

import math
import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

import jax

from dlcourse.errors import UsageError, UserError
from dlcourse.learner import count_parameters
from dlcourse.training.config import Config
from dlcourse.training.engine import processes, sharding
from dlcourse.training.experiment import Experiment
from dlcourse.training.run.checkpoints import Checkpoints
from dlcourse.training.run.diverged import diverged_seeds
from dlcourse.training.run.finished import Run
from dlcourse.training.run.folder import RunFolder, new_folder
from dlcourse.training.run.hooks import Hooks
from dlcourse.training.run.interruption import Interruption
from dlcourse.training.run.loop import Loop, Position
from dlcourse.training.run.measuring import measured
from dlcourse.training.run.screen import Screen, Silent


def run(
    experiment: Experiment | Callable[[Any], Experiment],
    config: Config,
    *,
    name: str,
    file: pathlib.Path | None = None,
    interruption: Interruption | None = None,
    hooks: Hooks | None = None,
    silent: bool = False,
) -> Run:
    """Trains, evaluates, saves and reports; resumes the run in the run folder.

    A finished run is extended by a config of more epochs or steps that is otherwise the same. The
    result is that of a run which had this length from the start, unless a schedule depends on the
    length: its steps so far followed the shorter schedule, the others follow the longer one.

    Args:
        experiment: a function from the config to learner and data, or its result.
        config: durations, seeds, mesh and the run folder.
        name: the experiment's name, for the run folder and the screen.
        file: the experiment file, which later commands open; by default the running program.
        interruption: true once the run should stop; see `interruption.listen`.
        hooks: called on the events of the run.
        silent: show nothing.

    Raises:
        Interrupted: a signal came; everything is saved.
        Ended: a hook ended the run.
        Diverged: no loss was finite any more.
        UserError: the cause lies outside the program; the message names it.
    """
    make = (lambda _: experiment) if isinstance(experiment, Experiment) else experiment
    made = make(config)
    mesh = make_mesh(config)
    path = processes.on_first(lambda: str(config.workdir or new_folder(name)))
    folder = RunFolder(pathlib.Path(path))
    file = file or pathlib.Path(sys.argv[0])
    try:
        total = config.total_steps(made.data)

        def open_folder() -> int | None:
            before = folder.open(config, name, file, total)
            folder.keep(made.copies)
            return before

        before = processes.on_first(open_folder)
        with Silent() if silent else Screen(total, config.progress) as screen:
            if before is not None:
                screen.say(
                    f"Extending a run of {before} steps to {total}. A schedule over the length of "
                    "the run is now that of the longer one."
                )
            loop = Loop(made, config, folder, mesh, screen, interruption, hooks)
            with Checkpoints(folder.checkpoints, config.keep) as checkpoints:
                at = loop.run(checkpoints)
                summary, state = _finish(loop, at, name)
            screen.results(summary, folder.path)
            return Run(name, config, folder.path, summary, folder.rows, state, make)
    except OSError as error:
        raise UserError(
            f"{folder.path} could not be written ({error.strerror or error}). "
            "Saved checkpoints are kept; make room and start the same command again."
        ) from error
    finally:
        folder.close()


def make_mesh(config: Config) -> jax.sharding.Mesh:
    """The mesh of a config.

    Raises:
        UsageError: the devices do not fit, or the batch does not divide over them.
    """
    mesh = sharding.make_mesh(config.mesh)
    across = mesh.shape["data"] * mesh.shape["fsdp"]
    if config.batch_size % across:
        raise UsageError(
            f"--batch-size {config.batch_size} does not divide over {across} devices; "
            "choose a multiple or another --mesh."
        )
    return mesh


def _finish(loop: Loop, at: Position, name: str) -> tuple[dict, Any]:
    """Measures on the test split, sums up, and draws: the summary, and the state on the host."""
    folder, config = loop.folder, loop.config
    final = at.state if at.best is None else at.best
    test = {}
    if "test" in loop.experiment.data.splits:
        test = {"test": loop.write(at.step, "test", measured(loop, "test", final))}
    last: dict[str, Any] = {row["split"]: row for row in folder.rows if row["split"] != "test"}
    best_row = loop.selection.best_row(folder.rows)
    if at.best is not None and best_row is not None:
        last["validation"] = best_row
    folder.flush()
    folder.write_events()
    examples = at.step * config.batch_size * config.seeds
    by_split = {split: _metrics(row) for split, row in (last | test).items()}
    seeds = range(config.seed, config.seed + config.seeds)
    summary = {
        "experiment": name,
        "parameters": count_parameters(at.state) // math.prod(loop.programs.members),
        "steps": at.step,
        "seconds": loop.seconds,
        "start_seconds": loop.screen.start_seconds,
        "compile_seconds": loop.clock.seconds["compiling"],
        "examples_per_second": examples / max(loop.seconds, 1e-9),
        "time": dict(loop.clock.seconds),
        "metrics": by_split,
        "diverged_seeds": diverged_seeds(by_split, loop.programs.losses, seeds),
        "best": loop.selection.summary(),
    }
    folder.write_summary(summary)
    # Figures come last: if one fails, the numbers are there.
    loop.drawing.curves(folder.rows)
    loop.drawing.states(loop.experiment.figures, final, loop.programs.members)
    summary["time"] = dict(loop.clock.seconds)
    folder.write_summary(summary)
    return summary, jax.device_get(processes.on_host(final, loop.mesh))


def _metrics(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("step", "split")}
