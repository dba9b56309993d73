"""Many learners side by side in one compiled program."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from dlcourse.learner import Learner

# How a program names a convolution: XLA's, and the product that `models.fast_convolution` makes of
# one.
CONVOLUTIONS = ("conv_general_dilated", "by_columns")


@flax.struct.dataclass
class Members:
    """The state of a population; every leaf begins with the axis of the members.

    Attributes:
        hyperparameters: what the members differ in.
        learned: the state of the learner.
    """

    hyperparameters: Any
    learned: Any


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

        @functools.partial(jax.jit, inline=True)  # traced once
        def one(mapped: Any) -> Any:
            own = iter(mapped)
            return function(
                *(a if x is None else next(own) for a, x in zip(args, axes, strict=True))
            )

        mapped = tuple(a for a, x in zip(args, axes, strict=True) if x is not None)
        if jax.default_backend() == "cpu":
            program = str(jax.make_jaxpr(one)(jax.tree.map(lambda leaf: leaf[0], mapped)))
            if any(name in program for name in CONVOLUTIONS):
                return jax.lax.map(one, mapped)
        return jax.vmap(one)(mapped)

    return members


def population(make_learner: Callable[[Any], Learner], hyperparameters: Any) -> Learner:
    """One learner a row of `hyperparameters`, trained on the same batches with the same randomness.

    `population(lambda rate: supervised(model, loss, adam(rate)), jnp.logspace(-4, -1, 8))` trains
    eight learning rates at once. Since `make_learner` runs inside `each`, the hyperparameters may
    be used in arithmetic, not in shapes or Python conditions; Linen's dropout is an exception, and
    may take its rate from them.

    They travel in the state. So the program does not hold their values, and a population with
    other ones finds it compiled.

    Args:
        make_learner: from one set of hyperparameters to a learner.
        hyperparameters: a tree of arrays whose first axis counts the members.

    Returns:
        A learner with the state `Members`; its metrics too begin with the axis of the members.
        Each member learns what it would learn alone.
    """

    def init(key: Any, batch: Any) -> Members:
        with nn.intercept_methods(_dropout):
            learned = each(lambda h: make_learner(h).init(key, batch))(hyperparameters)
        return Members(jax.tree.map(jnp.asarray, hyperparameters), learned)

    def step(state: Members, batch: Any, key: Any) -> Any:
        with nn.intercept_methods(_dropout):
            learned, metrics = each(lambda h, s: make_learner(h).step(s, batch, key))(
                state.hyperparameters, state.learned
            )
        return Members(state.hyperparameters, learned), metrics

    def evaluate(state: Members, batch: Any) -> Any:
        with nn.intercept_methods(_dropout):
            return each(lambda h, s: make_learner(h).evaluate(s, batch))(
                state.hyperparameters, state.learned
            )

    def apply(state: Members, batch: Any, key: Any) -> Any:
        with nn.intercept_methods(_dropout):
            return each(lambda h, s: make_learner(h).apply(s, batch, key))(
                state.hyperparameters, state.learned
            )

    # As arrays, which are what members are made from inside `each`.
    first = make_learner(jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], hyperparameters))
    return Learner(init, step, evaluate, apply, first.honours)


def _dropout(
    call: Callable, args: tuple, kwargs: dict, context: nn.module.InterceptorContext
) -> Any:
    """Linen's `Dropout` asks whether its rate is 0 or 1, and a traced rate cannot answer."""
    module = context.module
    traced = isinstance(module, nn.Dropout) and isinstance(module.rate, jax.core.Tracer)
    if not traced or context.method_name != "__call__":
        return call(*args, **kwargs)
    (x,) = args
    if nn.merge_param("deterministic", module.deterministic, kwargs.get("deterministic")):
        return x
    shape = [1 if axis in module.broadcast_dims else size for axis, size in enumerate(x.shape)]
    kept = jax.random.bernoulli(module.make_rng(module.rng_collection), 1.0 - module.rate, shape)
    # At rate 1 nothing is kept, and the quotient must not be nan all the same.
    return jnp.where(kept, x / jnp.maximum(1.0 - module.rate, 1e-6), 0.0).astype(x.dtype)


def over_seeds(learner: Learner) -> Learner:
    """The same learner for many seeds: keys and training batches begin with the axis of the seeds.

    Evaluation shows all of them the same batch.
    """
    return learner._replace(
        init=each(learner.init),
        step=each(learner.step),
        evaluate=each(learner.evaluate, (0, None)),
        apply=each(learner.apply, (0, None, None)),
    )
