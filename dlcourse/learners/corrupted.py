"""Training on corrupted inputs whose clean versions are the targets."""

from collections.abc import Callable
from typing import Any

import jax

from dlcourse import streams
from dlcourse.learner import Batch, Learner, Metrics, State

Corrupt = Callable[[Any, jax.Array], jax.Array]
NOISY = "noisy"


def corrupted(learner: Learner, corrupt: Corrupt) -> Learner:
    """`learner`, whose batches have each `image` corrupted as `noisy` (Vincent et al., 2008).

    Training corrupts an image anew at each step, evaluation always in the same way. `apply` takes
    the `image` of a batch as it is.

    Args:
        learner: it reads `noisy`, such as `supervised(..., inputs="noisy", target="image")`.
        corrupt: from a key and an image to a corrupted image.
    """

    def init(key: Any, batch: Batch) -> State:
        return learner.init(key, batch | {NOISY: batch["image"]})

    def step(state: State, batch: Batch, key: Any) -> tuple[State, Metrics]:
        changes, key = jax.random.split(key)
        keys = jax.random.split(changes, batch["image"].shape[0])
        return learner.step(state, batch | {NOISY: jax.vmap(corrupt)(keys, batch["image"])}, key)

    def evaluate(state: State, batch: Batch) -> Metrics:
        return learner.evaluate(state, with_corruption(batch, corrupt))

    def apply(state: State, batch: Batch, key: Any) -> Any:
        return learner.apply(state, batch | {NOISY: batch["image"]}, key)

    return learner._replace(init=init, step=step, evaluate=evaluate, apply=apply)


def with_corruption(batch: Batch, corrupt: Corrupt) -> Batch:
    """A batch with its images corrupted as evaluation does, from a key for each `index`."""
    keys = streams.of_examples("corruption", batch["index"])
    return batch | {NOISY: jax.vmap(corrupt)(keys, batch["image"])}
