"""Searches the hyperparameters of an experiment file: `python -m dlcourse.tuning --help`."""

import dataclasses
import pathlib
import shlex
import sys
from typing import Annotated, NoReturn

import tyro

from dlcourse import training, tuning
from dlcourse.errors import UsageError
from dlcourse.training.commands import command_line
from dlcourse.training.run.interruption import Interruption
from dlcourse.tuning import methods, notation


@dataclasses.dataclass(frozen=True)
class Options:
    """Searches the hyperparameters of an experiment file for the best validation metric.

    python -m dlcourse.tuning experiments/foundations/mnist_mlp.py
    --search learning_rate=log:1e-4:1e-1 dropout=0:0.6 hidden=64,64/256,128
    --metric "max accuracy" -- --epochs 20

    Options of the experiment itself follow after `--`. The same command goes on with a study that
    was stopped; started in several processes at once, they share its trials.
    """

    experiment: Annotated[pathlib.Path, tyro.conf.Positional]
    """The experiment file, with its `Config` and `experiment`."""
    search: tuple[str, ...]
    """What to search: `name=low:high`, `name=log:low:high` on a logarithmic scale, or one of
    `name=a/b/c`; commas join the parts of one value."""
    method: methods.Name = "random"
    """Where to look next; `tpe` and `gp` learn from the trials before."""
    trials: int = 20
    """How many; a grid takes the most that its levels allow."""
    metric: str | None = None
    """`min METRIC` or `max METRIC` on the validation split; else what the experiment monitors."""
    prune: bool = False
    """Stop trials that fall behind (successive halving); they train one after another then."""
    side_by_side: int | None = None
    """How many trials at most train in one program; else 16, and 4 for `tpe` and `gp`."""
    seed: int = 0
    """Everything random in the search is derived from it; the trials have a seed of their own."""
    workdir: pathlib.Path | None = None
    """The study's folder; else one under `runs/tuning/<experiment>/` that the search names."""


def main() -> NoReturn:
    own, flags = sys.argv[1:], []
    if "--" in own:
        split = own.index("--")
        own, flags = own[:split], own[split + 1 :]
    options = tyro.cli(Options, args=own, prog="python -m dlcourse.tuning")
    try:
        module = command_line.load_experiment(options.experiment)
        space = notation.parse_space(
            options.search, module.Config, lambda args: command_line.parse(module.Config, args)
        )
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)

    def command(values: dict) -> str:
        return f"python {shlex.join([str(options.experiment), *flags])} " + notation.arguments(
            values
        )

    def body(config: training.Config, interruption: Interruption) -> None:
        tuning.search(
            module.experiment,
            dataclasses.replace(config, workdir=None),
            space,
            name=options.experiment.stem,
            method=options.method,
            trials=options.trials,
            metric=options.metric,
            seed=options.seed,
            prune=options.prune,
            side_by_side=options.side_by_side,
            folder=options.workdir,
            command=command,
            interruption=interruption,
        )

    # From here on this is the experiment's own command line, with another body.
    sys.argv = [str(options.experiment), *flags]
    training.launch(body, module.Config)


if __name__ == "__main__":
    main()
