"""Doing one step of a run again: the state before, the batch, what became of it."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from dlcourse.errors import UsageError
from dlcourse.training.engine.sharding import path_name
from dlcourse.training.run.checkpoints import Checkpoints, Damaged

if TYPE_CHECKING:  # it offers this on the command line
    from dlcourse.training.run.loop import Loop


def replay(loop: "Loop", step: int) -> Iterator[str]:
    """Does one step again as the run did it: the state before, the batch, the state after.

    Batches and keys are functions of the step, so the step is the same bit for bit if the devices
    are like those of the run. It begins at the newest checkpoint before the step that is whole, at
    worst at the beginning of the run.
    """
    if not 1 <= step <= loop.total:
        raise UsageError(f"The run has the steps 1 to {loop.total}, and no step {step}.")
    at, state = _newest_before(loop, step)
    yield f"From step {at} to step {step - 1}"
    while at < step - 1:
        length = min(step - 1 - at, loop.feed.capacity)
        state, _ = loop.chunk(state, at, length)
        at += length
    yield f"Not finite before step {step}: {_not_finite(state)}"
    yield f"Examples of step {step}: {json.dumps(loop.examples(step))}"
    state, metrics = loop.chunk(state, step - 1, 1)
    for name, metric in metrics.items():
        yield f"{name} of step {step}: {np.asarray(metric.value)[0]}"
    yield f"Not finite after step {step}: {_not_finite(state)}"


def _newest_before(loop: "Loop", step: int) -> tuple[int, Any]:
    """The newest step before this one whose state is there, and the state."""
    with Checkpoints(loop.folder.checkpoints, read_only=True) as checkpoints:
        for saved in reversed(checkpoints.steps()):
            if saved < step:
                try:
                    return saved, checkpoints.read(saved, loop.like())[0]["learner"]
                except Damaged:
                    continue
    return 0, loop.programs.init(loop.seeds)


def _not_finite(state: Any) -> str:
    names = [
        path_name(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
        if jax.numpy.issubdtype(leaf.dtype, np.inexact) and not bool(jax.numpy.isfinite(leaf).all())
    ]
    return ", ".join(names) or "nothing"
