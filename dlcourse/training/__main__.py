"""Commands on a run folder: `python -m dlcourse.training --help`."""

import dataclasses
import json
import pathlib
import sys
from collections.abc import Callable, Iterator
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

    def lines(self) -> Iterator[str]:
        from dlcourse.training.commands.evaluate import evaluate, open_folder

        loop = open_folder(self.run, self.experiment, self.mesh).loop()
        yield json.dumps(evaluate(loop, self.step, self.figures), indent=2)


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

    def lines(self) -> Iterator[str]:
        from dlcourse.training.commands.evaluate import open_folder
        from dlcourse.training.commands.replay import describe_step

        return describe_step(open_folder(self.run, self.experiment, self.mesh).loop(), self.step)


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

    def lines(self) -> Iterator[str]:
        from dlcourse.training.commands.evaluate import load
        from dlcourse.training.commands.predict import describe_predictions

        return describe_predictions(load(self.run, self.experiment), self.images, self.most)


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

    def lines(self) -> Iterator[str]:
        from dlcourse.training.commands.evaluate import load
        from dlcourse.training.commands.export import export

        return export(load(self.run, self.experiment), self.out, self.seed)


COMMANDS: dict[str, Callable[..., Any]] = {
    "evaluate": Evaluate, "predict": Predict, "list": List, "export": Export, "replay": Replay,
}  # fmt: skip


def main() -> int:
    options = tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="python -m dlcourse.training")
    # What a command needs is imported when it is asked for.
    from dlcourse.training.commands.process import prepare_process
    from dlcourse.training.config import Config

    try:
        if isinstance(options, List):
            from dlcourse.training.commands.listing import list_runs

            list_runs(options.runs)
            return 0
        prepare_process(Config())
        for line in options.lines():
            print(line)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
