"""Commands on a run folder: `python -m dlcourse.training --help`."""

import dataclasses
import json
import pathlib
import sys
from typing import Annotated

import tyro

from dlcourse.errors import UserError


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Measures a checkpoint on the validation and test split and prints the metrics as JSON."""

    run: Annotated[pathlib.Path, tyro.conf.Positional]
    """The run folder."""
    step: int | None = None
    """Of the checkpoint; the newest by default."""
    figures: pathlib.Path | None = None
    """A folder in which to draw the experiment's figures: samples, confusion, ..."""
    experiment: pathlib.Path | None = None
    """The experiment file, if it is no longer where the run found it."""
    mesh: str = "data=-1"
    """The devices; they need not be those of the run."""


@dataclasses.dataclass(frozen=True)
class Replay:
    """Does one step of a run again, from the checkpoint before it, and prints the results."""

    run: Annotated[pathlib.Path, tyro.conf.Positional]
    """The run folder."""
    step: int
    """Which; after a divergence `diverged.json` names it."""
    experiment: pathlib.Path | None = None
    """The experiment file, if it is no longer where the run found it."""
    mesh: str = "data=-1"
    """The devices; those of the run give the same bits."""


def main() -> int:
    options = tyro.extras.subcommand_cli_from_dict(
        {"evaluate": Evaluate, "replay": Replay}, prog="python -m dlcourse.training"
    )
    from dlcourse.training.commands.evaluate import evaluate, open_folder
    from dlcourse.training.commands.process import prepare_process
    from dlcourse.training.commands.replay import describe_step
    from dlcourse.training.config import Config

    try:
        prepare_process(Config())
        loop = open_folder(options.run, options.experiment, options.mesh).loop()
        if isinstance(options, Evaluate):
            print(json.dumps(evaluate(loop, options.step, options.figures), indent=2))
        else:
            for line in describe_step(loop, options.step):
                print(line)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
