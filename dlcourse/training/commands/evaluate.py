"""Opening a run again from its folder alone: its trained model, its metrics, its figures.

The folder is data: nothing in it is executed. It names the experiment file, which is.
"""

import dataclasses
import functools
import pathlib
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import jax

from dlcourse.errors import UsageError, UserError
from dlcourse.training.commands.parse import load_experiment
from dlcourse.training.config import EXECUTION, Config
from dlcourse.training.experiment import Experiment
from dlcourse.training.run.checkpoints import Checkpoints
from dlcourse.training.run.drawing import Drawing
from dlcourse.training.run.finished import Run
from dlcourse.training.run.folder import RunFolder, summarize
from dlcourse.training.run.loop import Loop
from dlcourse.training.run.measuring import measured
from dlcourse.training.run.screen import Silent
from dlcourse.training.run.start import make_mesh
from dlcourse.training.run.written import read_config, read_object


@dataclasses.dataclass(frozen=True, eq=False)
class Opened:
    """A run folder with its experiment.

    Attributes:
        name: the experiment's name.
        config: the run's, on the devices that are here.
        make: the experiment file's function from the config to learner and data.
        folder: the run folder.
    """

    name: str
    config: Config
    make: Callable[[Config], Experiment]
    folder: pathlib.Path

    def loop(self) -> Loop:
        """The run's loop; it writes nothing and compiles what is asked of it."""
        made = self.make(self.config)
        return Loop(made, self.config, RunFolder(self.folder), make_mesh(self.config), Silent())


def open_folder(
    folder: pathlib.Path, experiment: pathlib.Path | None = None, mesh: str = "data=-1"
) -> Opened:
    """Opens a run folder.

    Args:
        folder: the run folder.
        experiment: the experiment file, if it is no longer where the run found it.
        mesh: over which devices; see `--mesh`.

    Raises:
        UserError: the folder holds no run, or its experiment file is gone, lies inside it or is
            that of another experiment.
    """
    written = read_config(folder)
    file = experiment or pathlib.Path(written.get("file", ""))
    if experiment is None and file.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{folder} names an experiment file inside itself, and nothing in a run folder is "
            "executed. Name the file with --experiment."
        )
    names = {written["experiment"].partition("/")[0], pathlib.Path(written.get("file", "")).stem}
    if file.stem not in names:
        raise UsageError(
            f"{folder} holds a run of '{written['experiment']}', and {file} is another experiment. "
            "If the file was renamed, give it its name back."
        )
    module = load_experiment(file)
    config = from_json(module.Config, written["config"])
    config = dataclasses.replace(config, workdir=folder, mesh=mesh, progress=False)
    make = functools.cache(module.experiment)  # it opens the data, which takes seconds
    return Opened(written["experiment"], config, make, folder)


def load(folder: pathlib.Path | str, experiment: pathlib.Path | None = None) -> Run:
    """A finished run from its folder.

        run = training.load("runs/mnist_mlp/20260101-120000")
        logits = run.apply({"image": images})

    Args:
        folder: the run folder.
        experiment: the experiment file, if it is no longer where the run found it.

    Raises:
        UserError: the folder holds no finished run, or its experiment file is gone.
    """
    folder = pathlib.Path(folder)
    place = folder / "summary.json"
    if not place.exists():
        read_config(folder)
        raise UserError(f"The run in {folder} is not finished: it has no summary.json.")
    opened = open_folder(folder, experiment)
    loop = opened.loop()
    loop.folder.rewind(loop.total)
    _, state = restore(loop, None)
    return Run(
        opened.name,
        opened.config,
        folder,
        read_object(place),
        loop.folder.rows,
        jax.device_get(state),
        opened.make,
    )


def from_json(kind: type[Config], written: Mapping[str, Any]) -> Config:
    """The config that `config.json` holds; where a run was computed stays as it is here.

    Raises:
        UserError: the experiment's config has other fields or limits now.
    """
    fields = typing.get_type_hints(kind)
    unknown = [name for name in written if name not in fields and name not in EXECUTION]
    if unknown:
        raise UserError(f"The experiment's config no longer has {', '.join(unknown)}.")
    known = {name: value for name, value in written.items() if name in fields}
    place = EXECUTION - {"stream", "checkpoint_every"}
    typed = {n: _typed(v, fields[n]) for n, v in known.items() if n not in place}
    try:
        return kind(**typed)
    except ValueError as error:
        raise UserError(f"The experiment's config refuses that of the run: {error}.") from error


def _typed(value: Any, hint: Any) -> Any:
    """JSON has lists and texts where a config has tuples and paths."""
    if isinstance(value, list):
        return tuple(_typed(part, typing.get_args(hint)[:1]) for part in value)
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return pathlib.Path(value) if value is not None and pathlib.Path in options else value


def restore(loop: Loop, step: int | None) -> tuple[int, Any]:
    """A saved step, the newest if None, and the state that evaluation uses there.

    Raises:
        UserError: there is no such checkpoint, or it is damaged.
    """
    with Checkpoints(loop.folder.checkpoints, read_only=True) as checkpoints:
        step = checkpoints.newest if step is None else step
        if step is None:
            raise UserError(f"{loop.folder.path} has no checkpoint yet.")
        saved, _ = checkpoints.read(step, loop.like())
    return step, saved.get("best", saved["learner"])


def evaluate(loop: Loop, step: int | None, place: pathlib.Path | None) -> dict[str, Any]:
    """The metrics of a checkpoint on every split but the train split.

    Args:
        loop: from `Opened.loop`.
        step: of the checkpoint; the newest by default.
        place: a folder in which to draw the experiment's figures.
    """
    step, state = restore(loop, step)
    splits = [split for split in loop.experiment.data.splits if split != "train"]
    by_split = {split: measured(loop, split, state) for split in splits}
    if place is not None:
        drawing = Drawing(place, loop.mesh, loop.screen, loop.clock)
        drawing.states(loop.experiment.figures, state, loop.programs.members)
    rows = {s: {n: summarize(v) for n, v in row.items()} for s, row in by_split.items()}
    return {"step": step, "metrics": rows}
