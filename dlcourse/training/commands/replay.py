"""Doing one step of a run again: the state before, the batch, the results."""

import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from dlcourse import metrics
from dlcourse.errors import UsageError
from dlcourse.training.config import Config
from dlcourse.training.engine.sharding import path_name
from dlcourse.training.experiment import Experiment
from dlcourse.training.run.checkpoints import Checkpoints, Damaged
from dlcourse.training.run.folder import RunFolder
from dlcourse.training.run.loop import Loop, Position
from dlcourse.training.run.screen import Screen
from dlcourse.training.run.start import make_mesh


def replay(experiment: Callable[[Any], Experiment], config: Config, name: str, step: int) -> None:
    """Does a step of the run in `config.workdir` again and prints the results.

    Raises:
        UserError: the folder holds another run, or the run has no such step.
    """
    folder = RunFolder(pathlib.Path(config.workdir or ""))
    folder.require(config, name)
    made = experiment(config)
    screen = Screen(config.total_steps(made.data), live=False)
    for line in describe_step(Loop(made, config, folder, make_mesh(config), screen), step):
        screen.say(line)


def describe_step(loop: Loop, step: int) -> Iterator[str]:
    """Does one step again as the run did it, and describes state and metrics.

    Batches and keys are functions of the step, so the step is the same bit for bit if the devices
    are like those of the run. It starts from the newest undamaged checkpoint before the step, or
    from the beginning of the run.

    Raises:
        UsageError: the run has no such step.
    """
    if not 1 <= step <= loop.total:
        raise UsageError(f"The run has the steps 1 to {loop.total}; there is no step {step}.")
    at = _newest_before(loop, step)
    yield f"From step {at.step} to step {step - 1}"
    while at.step < step - 1:
        length = min(step - 1 - at.step, loop.feed.capacity)
        trained = loop.chunk(at, length, [])
        at = Position(at.step + length, trained.state, trained.open, None)
    yield f"Not finite before step {step}: {_not_finite(at.state)}"
    yield f"Examples of step {step}: {json.dumps(loop.feed.examples(step))}"
    trained = loop.chunk(at._replace(window=loop.programs.empty_window()), 1, [step])
    measured = metrics.values(jax.tree.map(lambda leaf: leaf[0], trained.closed))
    for name, value in measured.items():
        yield f"{name} of step {step}: {np.asarray(value, np.float32)}"
    yield f"Not finite after step {step}: {_not_finite(trained.state)}"


def _newest_before(loop: Loop, step: int) -> Position:
    """The newest saved position before a step."""
    with Checkpoints(loop.folder.checkpoints, read_only=True) as checkpoints:
        for saved in reversed(checkpoints.steps()):
            if saved < step:
                try:
                    tree = checkpoints.read(saved, loop.like())[0]
                except Damaged:
                    continue
                return Position(saved, tree["learner"], tree["window"], None)
    return loop.begin()


def _not_finite(state: Any) -> str:
    names = [
        path_name(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
        if jax.numpy.issubdtype(leaf.dtype, np.inexact) and not bool(jax.numpy.isfinite(leaf).all())
    ]
    return ", ".join(names) or "nothing"
