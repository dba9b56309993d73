"""Commands on a run folder: `python -m dlcourse.training --help`."""

import dataclasses
import json
import pathlib
import sys
from collections.abc import Callable
from typing import Annotated, Any

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


@dataclasses.dataclass(frozen=True)
class Predict:
    """Prints the most probable classes of image files, as a trained classifier sees them."""

    run: Annotated[pathlib.Path, tyro.conf.Positional]
    """The run folder."""
    images: Annotated[tuple[pathlib.Path, ...], tyro.conf.Positional]
    """Image files; they are resized, and what is longer is cut off on both sides."""
    most: int = 3
    """How many classes to print."""
    experiment: pathlib.Path | None = None
    """The experiment file, if it is no longer where the run found it."""


@dataclasses.dataclass(frozen=True)
class List:
    """Lists the runs in a folder, the newest last."""

    runs: Annotated[pathlib.Path, tyro.conf.Positional] = pathlib.Path("runs")
    """The folder."""


@dataclasses.dataclass(frozen=True)
class Export:
    """Writes a trained model for other programs: as safetensors, and as StableHLO."""

    run: Annotated[pathlib.Path, tyro.conf.Positional]
    """The run folder."""
    out: pathlib.Path = pathlib.Path("exported")
    """The folder to write."""
    seed: int = 0
    """Which seed's weights, counted from 0."""
    experiment: pathlib.Path | None = None
    """The experiment file, if it is no longer where the run found it."""


COMMANDS: dict[str, Callable[..., Any]] = {
    "evaluate": Evaluate, "predict": Predict, "list": List, "export": Export,
    "replay": Replay,
}  # fmt: skip


def main() -> int:
    options = tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="python -m dlcourse.training")
    from dlcourse.training.commands.evaluate import evaluate, load, open_folder
    from dlcourse.training.commands.export import export
    from dlcourse.training.commands.listing import list_runs
    from dlcourse.training.commands.predict import describe_predictions
    from dlcourse.training.commands.process import prepare_process
    from dlcourse.training.commands.replay import describe_step
    from dlcourse.training.config import Config

    try:
        if isinstance(options, List):
            list_runs(options.runs)
            return 0
        prepare_process(Config())
        if isinstance(options, Predict):
            run = load(options.run, options.experiment)
            for line in describe_predictions(run, options.images, options.most):
                print(line)
            return 0
        if isinstance(options, Export):
            for line in export(load(options.run, options.experiment), options.out, options.seed):
                print(line)
            return 0
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
