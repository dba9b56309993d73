"""Looking at a run again, from its folder alone: open it, evaluate a checkpoint.

The folder is data: nothing in it is executed. It names the experiment file, which is.
"""

import dataclasses
import pathlib
import types
import typing
from collections.abc import Mapping
from typing import Any

import jax

from dlcourse.errors import UsageError, UserError
from dlcourse.training.commands import command_line
from dlcourse.training.config import PLACE, Config
from dlcourse.training.engine.programs import without_optimizer
from dlcourse.training.engine.sharding import make_mesh
from dlcourse.training.run.checkpoints import Checkpoints
from dlcourse.training.run.curves import save_figure
from dlcourse.training.run.folder import RunFolder, read_config, summarize
from dlcourse.training.run.interruption import Interruption
from dlcourse.training.run.loop import Loop
from dlcourse.training.run.screen import Screen


def reopen(folder: pathlib.Path, experiment: pathlib.Path | None, mesh: str) -> Loop:
    """The compiled run of a folder, on the devices that are here; it writes nothing.

    Args:
        folder: the run folder.
        experiment: the experiment file, if it is no longer where the run found it.
        mesh: over which devices; see `--mesh`.

    Raises:
        UserError: the folder holds no run, or its experiment file is gone or lies inside it.
    """
    written = read_config(folder)
    file = experiment or pathlib.Path(written.get("file", ""))
    if experiment is None and file.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{folder} names an experiment file inside itself, and nothing in a run folder is "
            "executed. Name the file with --experiment."
        )
    module = command_line.load_experiment(file)
    config = dataclasses.replace(
        from_json(module.Config, written["config"]), workdir=folder, mesh=mesh, progress=False
    )
    total = config.total_steps(module.experiment(config).data)
    return Loop(
        module.experiment(config),
        config,
        written["experiment"],
        RunFolder(folder),
        make_mesh(mesh),
        Screen(total, live=False),
        Interruption(),
    )


def from_json(kind: type[Config], written: Mapping[str, Any]) -> Config:
    """The config that `config.json` holds; where a run was computed stays as it is here.

    Raises:
        UserError: the experiment's config has other fields now.
    """
    fields = typing.get_type_hints(kind)
    unknown = [name for name in written if name not in fields and name not in PLACE]
    if unknown:
        raise UserError(f"The experiment's config no longer has {', '.join(unknown)}.")
    known = {name: value for name, value in written.items() if name in fields}
    place = PLACE - {"stream", "checkpoint_every"}
    return kind(**{n: _typed(v, fields[n]) for n, v in known.items() if n not in place})


def _typed(value: Any, hint: Any) -> Any:
    """JSON has lists and texts where a config has tuples and paths."""
    if isinstance(value, list):
        return tuple(_typed(part, typing.get_args(hint)[:1]) for part in value)
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return pathlib.Path(value) if value is not None and pathlib.Path in options else value


def evaluate(loop: Loop, step: int | None, figures: pathlib.Path | None) -> dict[str, Any]:
    """The metrics of a checkpoint on every split, and its figures if a folder is given.

    Args:
        loop: from `reopen`.
        step: of the checkpoint; the newest by default.
        figures: where to draw the experiment's figures.
    """
    with Checkpoints(loop.folder.checkpoints, read_only=True) as checkpoints:
        step = checkpoints.newest if step is None else step
        if step is None:
            raise UserError(f"{loop.folder.path} has no checkpoint yet.")
        saved, _ = checkpoints.read(step, loop.like())
    state = saved.get("best", saved["learner"])
    judged = without_optimizer(state)
    splits = [split for split in loop.experiment.data.splits if split != "train"]
    metrics = {split: loop.measure(split, judged) for split in splits}
    if figures is not None:
        figures.mkdir(parents=True, exist_ok=True)
        first = jax.tree.map(lambda leaf: leaf[(0,) * len(loop.programs.members)], state)
        for name, draw in loop.experiment.figures.items():
            save_figure(draw(first), figures / name)
    values = {s: {n: summarize(v) for n, v in row.items()} for s, row in metrics.items()}
    return {"step": step, "metrics": values}
