"""The command line of an experiment file."""

import inspect
import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol, TypeVar

from dlcourse.errors import UserError
from dlcourse.training.commands.compare import Runs, row_options, run_rows
from dlcourse.training.commands.dry_run import dry_run
from dlcourse.training.commands.parse import Command, parse_command
from dlcourse.training.commands.process import conduct
from dlcourse.training.commands.replay import replay
from dlcourse.training.config import Config
from dlcourse.training.engine import processes
from dlcourse.training.experiment import Experiment
from dlcourse.training.run.interruption import Interruption
from dlcourse.training.run.start import run

C = TypeVar("C", bound=Config)


class Report(Protocol):
    """What `report` gives: `analysis.Report`."""

    def save(self, folder: pathlib.Path) -> None:
        """Writes table and figures, and prints the table."""


def main(
    experiment: Callable[[C], Experiment],
    config: type[C],
    variants: Callable[[C], Mapping[str, C]] | None = None,
    report: Callable[[Runs], Report] | None = None,
) -> NoReturn:
    """Runs an experiment file: parse, build, train, report, exit.

    Args:
        experiment: from a config to learner and data.
        config: the experiment's frozen dataclass; its fields become the options.
        variants: from the config to the rows of a comparison, each an ordinary config. All of them
            are trained, unless the command line names an option in which they differ: then the
            config is one row, and is trained alone.
        report: from the finished runs to a table and figures.

    The exit status is 0 when all is done, 2 when the command line was wrong, 75 when a signal
    stopped it (everything is saved, start it again), 1 for any other error.
    """
    file = pathlib.Path(inspect.getfile(experiment))
    command = parse_command(config, sys.argv[1:], file.name)
    conduct(
        lambda interruption: _do(experiment, command, variants, report, file, interruption),
        command.config,
    )


def _do(
    experiment: Callable[[Any], Experiment],
    command: Command,
    variants: Callable[[Any], Mapping[str, Any]] | None,
    report: Callable[[Runs], Report] | None,
    file: pathlib.Path,
    interruption: Interruption,
) -> None:
    config, name = command.config, file.stem
    rows = dict(variants(config)) if variants else {}
    row = name
    if rows and command.given & row_options(rows):  # the command line names one row
        row = next((row for row, found in rows.items() if found == config), name)
        rows = {}
    if command.dry_run:
        for title, of_row in (rows or {"": config}).items():
            dry_run(experiment, of_row, title)
    elif command.replay is not None:
        replay(experiment, config, name, command.replay)
    elif rows:
        runs = run_rows(experiment, rows, config, name=name, file=file, interruption=interruption)
        if report and runs:
            _report(report, runs)
        if runs.diverged:
            raise UserError(
                f"{len(runs.diverged)} of {len(rows)} rows diverged: {', '.join(runs.diverged)}. "
                f"The others are finished, in {runs.folder}."
            )
    else:
        done = run(experiment, config, name=name, file=file, interruption=interruption)
        if report:
            _report(report, Runs(config, done.folder, {row: done}))


def _report(report: Callable[[Runs], Report], runs: Runs) -> None:
    """Process 0 alone reports; the runs hold nothing that other processes would have to compute."""
    if not processes.is_first():
        return
    try:
        report(runs).save(runs.folder)
    except OSError as error:
        raise UserError(
            f"The report in {runs.folder} could not be written ({error.strerror or error}). The "
            "runs are saved; make room and start the same command again."
        ) from error
