"""Searches the hyperparameters of an experiment file: `python -m dlcourse.tuning --help`."""

import dataclasses
import pathlib
import shlex
import sys
from typing import Annotated, Any, NoReturn

import tyro

from dlcourse import tuning
from dlcourse.errors import UserError
from dlcourse.training.commands.parse import load_experiment, parse
from dlcourse.training.commands.process import conduct
from dlcourse.training.run.interruption import Interruption
from dlcourse.tuning import notation
from dlcourse.tuning.plan import Search, Settings


@dataclasses.dataclass(frozen=True)
class Options:
    """Searches the hyperparameters of an experiment file for the best validation metric.

    python -m dlcourse.tuning experiments/foundations/mnist_mlp.py
    --search learning_rate=log:1e-4:1e-1 dropout=0:0.6 hidden=64,64/256,128
    --metric "max accuracy" -- --epochs 20

    Options of the experiment follow after `--`. Of an experiment that compares, they name the row
    to search. The same command continues a study that was stopped. Started in several processes,
    it shares the trials among them.
    """

    experiment: Annotated[pathlib.Path, tyro.conf.Positional]
    """The experiment file, with its `Config` and `experiment`."""
    search: tuple[str, ...]
    """What to search: `name=low:high`, `name=log:low:high` on a logarithmic scale, or the values
    `name=a/b/c`; commas join the parts of one value."""
    settings: Annotated[Settings, tyro.conf.arg(name="")]
    workdir: pathlib.Path | None = None
    """The folder of the study; by default one under `runs/tuning/<experiment>/` that the search
    determines."""


def main() -> NoReturn:
    own, flags = sys.argv[1:], []
    if "--" in own:
        split = own.index("--")
        own, flags = own[:split], own[split + 1 :]
    try:
        options = tyro.cli(Options, args=own, prog="python -m dlcourse.tuning")
        module = load_experiment(options.experiment)
        space = notation.parse_space(
            options.search, module.Config, lambda args: _parse(module, options, args)
        )
        search = Search(space, **vars(options.settings))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    config = dataclasses.replace(_parse(module, options, flags), workdir=None)

    def command(values: dict) -> str:
        start = shlex.join(["python", str(options.experiment), *flags])
        return f"{start} {notation.arguments(values)}"

    def body(interruption: Interruption) -> None:
        tuning.search(
            module.experiment,
            config,
            search,
            name=options.experiment.stem,
            folder=options.workdir,
            file=options.experiment,
            command=command,
            interruption=interruption,
        )

    conduct(body, config)


def _parse(module: Any, options: Options, args: list[str]) -> Any:
    """The config of the experiment's own options."""
    return parse(module.Config, args, options.experiment.name)


if __name__ == "__main__":
    main()
