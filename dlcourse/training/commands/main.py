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

    def rows_of(command: Command) -> Mapping[str, C] | None:
        if variants is None:
            return None
        rows = variants(command.config)
        return None if command.given & row_options(command.config, rows) else rows

    def train(command: Command, file: pathlib.Path, interruption: Interruption) -> None:
        config, rows, name = command.config, rows_of(command), file.stem
        if rows is None:
            done = run(experiment, config, name=name, file=file, interruption=interruption)
            found = variants(config).items() if variants else ()
            row = next((row for row, each in found if each == config), name)
            runs = Runs(config, done.folder, {row: done})
        else:
            runs = run_rows(
                experiment, rows, config, name=name, file=file, interruption=interruption
            )
        if report and runs:
            save_report(report, runs)
        if message := _diverged(runs, name):
            raise UserError(message)

    serve(experiment, config, train, rows_of)


def _diverged(runs: Runs, name: str) -> str:
    """What to say of rows and of seeds that diverged; empty if none did."""
    lines = []
    if runs.diverged:
        count = len(runs.diverged) + len(runs)
        lines.append(f"{len(runs.diverged)} of {count} rows diverged: {', '.join(runs.diverged)}.")
    for row, done in runs.items():
        lost = done.summary["diverged_seeds"]
        if lost:
            of_row = "" if row == name else f"{row}: "
            lines.append(
                f"{of_row}{len(lost)} of {done.config.seeds} seeds diverged: "
                f"{', '.join(map(str, lost))}. Every mean is over the others."
            )
    return "\n".join([*lines, f"What is finished is in {runs.folder}."]) if lines else ""


def serve(
    experiment: Callable[[Any], Experiment],
    config: type[C],
    train: Callable[[Command, pathlib.Path, Interruption], None],
    rows_of: Callable[[Command], Mapping[str, Config] | None] = lambda command: None,
) -> NoReturn:
    """The command line of any experiment file: describes, replays or trains, and exits.

    Args:
        experiment: from a config to learner and data.
        config: the experiment's frozen dataclass.
        train: from the parsed command, the experiment file and the signals.
        rows_of: the rows that a dry run describes; None for the config itself.
    """
    file = pathlib.Path(inspect.getfile(experiment))
    command = parse_command(config, sys.argv[1:], file.name)

    def body(interruption: Interruption) -> None:
        if command.dry_run:
            for title, row in (rows_of(command) or {"": command.config}).items():
                dry_run(experiment, row, title)
        elif command.replay is not None:
            replay(experiment, command.config, file.stem, command.replay)
        else:
            train(command, file, interruption)

    conduct(body, command.config)


def save_report(report: Callable[[Any], Report], finished: Any) -> None:
    """Saves the report of finished runs or searches in their folder.

    Process 0 alone reports; finished runs hold nothing that others would have to compute.

    Raises:
        UserError: it cannot be written.
    """
    if not processes.is_first():
        return
    try:
        report(finished).save(finished.folder)
    except OSError as error:
        raise UserError(
            f"The report in {finished.folder} could not be written ({error.strerror or error}). "
            "The runs are saved; make room and start the same command again."
        ) from error
