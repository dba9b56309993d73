"""What an experiment is: a learner, its data, and what to look at."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from dlcourse.data import Dataset
from dlcourse.learner import Learner, State


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Everything a run needs besides its config.

    Attributes:
        learner: how it learns.
        data: what it learns from.
        monitor: which validation metric tells the best weights, `min loss` or `max accuracy`.
        figures: drawn from the final state, by file name: a function from the learner's state to
            a matplotlib figure or animation, to a text, or to arrays by name.
        snapshots: figures drawn at every evaluation; the file name ends with the step.
        measure: `(state, split) -> {metric: number}`, on the host: what needs more than
            `learner.evaluate` has, such as BLEU of texts. It is computed from the final state on
            the test split, and by the command `evaluate` on every split but the train split.
        copies: texts by file name that the run folder gets before the first step and keeps.
    """

    learner: Learner
    data: Dataset
    monitor: str = "min loss"
    figures: Mapping[str, Callable[[State], Any]] = dataclasses.field(default_factory=dict)
    snapshots: Mapping[str, Callable[[State], Any]] = dataclasses.field(default_factory=dict)
    measure: Callable[[State, str], Mapping[str, float]] | None = None
    copies: Mapping[str, str] = dataclasses.field(default_factory=dict)
