"""The command line that all benchmarks of an experiment share."""

import dataclasses
import json
import pathlib
import sys
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import tyro

from dlcourse.errors import UserError
from dlcourse.training.commands import command_line


@dataclasses.dataclass(frozen=True)
class Target:
    """What every benchmark of an experiment is told."""

    experiment: Annotated[pathlib.Path, tyro.conf.Positional]
    """The experiment file."""
    json: pathlib.Path | None = None
    """Write the figures to this file."""
    compare: pathlib.Path | None = None
    """Print the ratio to the figures of an earlier --json."""


T = TypeVar("T", bound=Target)


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
