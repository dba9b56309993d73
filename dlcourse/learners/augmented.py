"""Training on randomly augmented examples."""

from collections.abc import Callable
from typing import Any

import jax

from dlcourse.learner import Batch, Learner, Metrics, State


def augmented(learner: Learner, augment: Callable[[Any, Batch], Batch]) -> Learner:
    """`learner`, whose training batches go through `augment(key, batch)`; evaluation's do not.

    `data.augment.per_example` makes one from a transform of an image.
    """

    def step(state: State, batch: Batch, key: Any) -> tuple[State, Metrics]:
        changes, key = jax.random.split(key)
        return learner.step(state, augment(changes, batch), key)

    return learner._replace(step=step)
