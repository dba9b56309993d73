"""The command line shared by the benchmarks of an experiment."""

import dataclasses
import json
import pathlib
import sys
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import tyro

from dlcourse.errors import UserError
from dlcourse.training.commands.parse import load_experiment, parse
from dlcourse.training.commands.process import prepare_process
from dlcourse.training.run.written import read_object


@dataclasses.dataclass(frozen=True)
class Target:
    """The arguments of every benchmark of an experiment."""

    experiment: Annotated[pathlib.Path, tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT")]
    """The experiment file."""
    json: pathlib.Path | None = None
    """Write the figures to this JSON file."""
    compare: pathlib.Path | None = None
    """Print the ratio to the figures in this file, written by an earlier --json."""


T = TypeVar("T", bound=Target)


def run_command(
    options_type: type[T], prog: str, measures: Callable[[T, Any, Any], dict[str, Any]]
) -> None:
    """Parses the command line, measures, prints the figures, and saves or compares them.

    Exits with the status of a `UserError`, or with 2 if a file cannot be read or written.

    Args:
        options_type: the dataclass of the options.
        prog: the program name in `--help`.
        measures: maps the options, the experiment's module and its config to figures by name.
    """
    own, of_experiment = split_arguments()
    options = tyro.cli(options_type, args=own, prog=prog)
    try:
        module = load_experiment(options.experiment)
        config = parse(module.Config, of_experiment, options.experiment.name)
        prepare_process(config)
        earlier = read_object(options.compare) if options.compare else None
        figures = measures(options, module, config)
        report(figures, earlier)
        if options.json:
            options.json.write_text(json.dumps(figures, indent=2) + "\n")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(2)


def split_arguments() -> tuple[list[str], list[str]]:
    """The arguments of the benchmark before `--`, and those of the experiment after it."""
    args = sys.argv[1:]
    end = args.index("--") if "--" in args else len(args)
    return args[:end], args[end + 1 :]


def report(figures: dict[str, Any], earlier: dict[str, Any] | None) -> None:
    """Prints the figures as a table, with the ratio to earlier figures if given."""
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
