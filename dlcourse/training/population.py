"""Many learners side by side in one compiled program."""

from collections.abc import Callable
from typing import Any

import jax

from dlcourse.learner import Learner


def population(make_learner: Callable[[Any], Learner], hyperparameters: Any) -> Learner:
    """One learner a row of `hyperparameters`, trained on the same batches with the same randomness.

    `population(lambda rate: supervised(model, loss, adam(rate)), jnp.logspace(-4, -1, 8))` trains
    eight learning rates at once. Since `make_learner` runs inside `vmap`, the hyperparameters may
    be used in arithmetic, not in shapes or Python conditions.

    Args:
        make_learner: from one set of hyperparameters to a learner.
        hyperparameters: a tree of arrays whose first axis counts the members.

    Returns:
        A learner whose state and metrics begin with the axis of the members. Each member learns
        what it would learn alone.
    """

    def init(key: Any, batch: Any) -> Any:
        return jax.vmap(lambda h: make_learner(h).init(key, batch))(hyperparameters)

    def step(state: Any, batch: Any, key: Any) -> Any:
        return jax.vmap(lambda h, s: make_learner(h).step(s, batch, key))(hyperparameters, state)

    def evaluate(state: Any, batch: Any) -> Any:
        return jax.vmap(lambda h, s: make_learner(h).evaluate(s, batch))(hyperparameters, state)

    return Learner(init, step, evaluate)


def over_seeds(learner: Learner) -> Learner:
    """The same learner for many seeds: keys and training batches begin with the axis of the seeds.

    Evaluation shows all of them the same batch.
    """
    return Learner(
        jax.vmap(learner.init), jax.vmap(learner.step), jax.vmap(learner.evaluate, (0, None))
    )
