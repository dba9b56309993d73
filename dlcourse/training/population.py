"""Many learners side by side in one compiled program."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from dlcourse.learner import Learner


def each(function: Callable[..., Any], in_axes: Sequence[int | None] = ()) -> Callable[..., Any]:
    """`jax.vmap(function, in_axes)`; on a CPU, if it convolves, one member after the other.

    The convolution of members that each have their own filters is a grouped one, for which XLA's
    CPU compiler knows no matrix product: three small CNNs take eight times as long under `vmap` as
    in turn. In either form it is part of one compiled program, and each member computes the same.

    Args:
        function: of one member.
        in_axes: for every argument 0, the axis of the members, or None if all share it; () is 0
            for all.
    """

    def members(*args: Any) -> Any:
        axes = tuple(in_axes) or (0,) * len(args)

        def one(mapped: Any) -> Any:
            own = iter(mapped)
            return function(
                *(a if x is None else next(own) for a, x in zip(args, axes, strict=True))
            )

        mapped = tuple(a for a, x in zip(args, axes, strict=True) if x is not None)
        if jax.default_backend() == "cpu":
            program = jax.make_jaxpr(one)(jax.tree.map(lambda leaf: leaf[0], mapped))
            if "conv_general_dilated" in str(program):
                return jax.lax.map(one, mapped)
        return jax.vmap(one)(mapped)

    return members


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
        return each(lambda h: make_learner(h).init(key, batch))(hyperparameters)

    def step(state: Any, batch: Any, key: Any) -> Any:
        return each(lambda h, s: make_learner(h).step(s, batch, key))(hyperparameters, state)

    def evaluate(state: Any, batch: Any) -> Any:
        return each(lambda h, s: make_learner(h).evaluate(s, batch))(hyperparameters, state)

    return Learner(init, step, evaluate)


def over_seeds(learner: Learner) -> Learner:
    """The same learner for many seeds: keys and training batches begin with the axis of the seeds.

    Evaluation shows all of them the same batch.
    """
    return Learner(each(learner.init), each(learner.step), each(learner.evaluate, (0, None)))
