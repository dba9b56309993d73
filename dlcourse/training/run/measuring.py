"""The metrics of a state on a whole split: those of the learner, and the experiment's own."""

from typing import Any

import jax
import numpy as np

from dlcourse.learner import without_optimizer
from dlcourse.training.engine import processes
from dlcourse.training.run.loop import Loop


def measured(loop: Loop, split: str, state: Any) -> dict[str, Any]:
    """The metrics of a state on all of a split, arrays `[*members]`.

    Args:
        loop: of the run.
        split: which one.
        state: on the devices of the loop.
    """
    judged = without_optimizer(state)
    found = loop.measure(split, judged)
    measure, members = loop.experiment.measure, loop.programs.members
    if measure is None:
        return found
    with loop.clock("evaluation"):
        on_host = processes.on_host(judged, loop.mesh)  # all processes take part
        each = [
            measure(jax.tree.map(lambda leaf, at=at: leaf[at], on_host), split)
            for at in np.ndindex(members)
        ]
    own = {name: np.reshape([values[name] for values in each], members) for name in each[0]}
    return found | own
