"""Trials that differ only in continuous hyperparameters, as one learner in one program."""

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from dlcourse.data import Dataset
from dlcourse.learner import Learner
from dlcourse.training import Config, Experiment
from dlcourse.training.population import each
from dlcourse.tuning.space import Choice, Space

C = TypeVar("C", bound=Config)
Hyperparameters = Mapping[str, Any]  # by field, a number or an array `[members]`


@flax.struct.dataclass
class Members:
    """The state of learners side by side; every leaf begins with the axis of the members."""

    hyperparameters: Hyperparameters
    learned: Any

    @property
    def params(self) -> Any:
        return getattr(self.learned, "params", self.learned)


def side_by_side(
    make_learner: Callable[[Hyperparameters], Learner], hyperparameters: Hyperparameters
) -> Learner:
    """One learner a row of `hyperparameters`, on the same batches with the same randomness.

    `training.population` with one difference: the hyperparameters travel in the state. So the
    program does not hold their values, and the next members find it compiled.

    Dropout takes its rate from them too, which Linen's own module does not allow.

    Args:
        make_learner: from one set of hyperparameters to a learner; it runs inside `vmap`, so they
            may be used in arithmetic, not in shapes or Python conditions.
        hyperparameters: arrays whose first axis counts the members.

    Returns:
        A learner whose metrics begin with the axis of the members. Each member learns what it
        would learn alone.
    """

    def init(key: Any, batch: Any) -> Members:
        with nn.intercept_methods(_dropout):
            learned = each(lambda h: make_learner(h).init(key, batch))(hyperparameters)
        return Members(jax.tree.map(jnp.asarray, dict(hyperparameters)), learned)

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

    return Learner(init, step, evaluate)


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


def with_hyperparameters(config: C, hyperparameters: Hyperparameters) -> C:
    """The config with traced numbers in it; its own checks, which need plain ones, are over."""
    traced = copy.copy(config)
    for name, value in hyperparameters.items():
        object.__setattr__(traced, name, value)
    return traced


def traceable(
    experiment: Callable[[C], Experiment], config: C, space: Space
) -> tuple[list[str], dict[str, str]]:
    """Which searched options may differ between trials in one program.

    They are numbers of the experiment's own config that reach the learner and nothing else: not
    the data, not the length of the run, no shape and no Python condition.

    Returns:
        Their names; and for the other real numbers the reason, as a sentence's end.
    """
    able, reasons = [], {}
    common = {field.name for field in dataclasses.fields(Config)}
    for name, dimension in space.items():
        ends: list[Any] = [dimension.at(0.0), dimension.at(1.0)]
        values = dimension.values if isinstance(dimension, Choice) else ends
        if name in common or not all(isinstance(value, float) for value in values):
            continue
        first, last = (experiment(dataclasses.replace(config, **{name: end})) for end in ends)
        if not _same_data(first.data, last.data, config.batch_size):
            reasons[name] = "the data depend on it"
        elif first.monitor != last.monitor:
            reasons[name] = "what is monitored depends on it"
        elif not _traces(experiment, config, first.data, {name: np.array(ends, np.float32)}):
            reasons[name] = "the experiment needs its value before it compiles"
        else:
            able.append(name)
    return able, reasons


def learner_of(
    experiment: Callable[[C], Experiment], config: C, hyperparameters: Hyperparameters
) -> Learner:
    """The learners of an experiment at several values of its numbers, side by side."""
    return side_by_side(
        lambda h: experiment(with_hyperparameters(config, h)).learner, hyperparameters
    )


def metric_names(learner: Learner, data: Dataset, batch_size: int) -> list[str]:
    """What a learner measures when it evaluates."""
    return list(_evaluated(learner, data, batch_size))


def _evaluated(learner: Learner, data: Dataset, batch_size: int) -> dict[str, Any]:
    """The shapes of what is measured, after a step; nothing is computed."""
    numbers = np.resize(data.splits["train"], batch_size)

    def run(key: Any) -> Any:
        batch = data.prepare(jax.tree.map(jnp.asarray, data.read(numbers)))
        state, _ = learner.step(learner.init(key, batch), batch, key)
        return learner.evaluate(state, batch | {"mask": jnp.ones(batch_size)})

    return jax.eval_shape(run, jax.eval_shape(jax.random.key, 0))


def _traces(
    experiment: Callable[[C], Experiment], config: C, data: Dataset, values: Hyperparameters
) -> bool:
    try:
        _evaluated(learner_of(experiment, config, values), data, config.batch_size)
    except (TypeError, IndexError):  # so are JAX's errors for a tracer asked for its value
        return False
    return True


def _same_data(one: Dataset, other: Dataset, batch_size: int) -> bool:
    """Whether two sets hold the same examples in the same splits, prepared in the same way."""
    if one.splits.keys() != other.splits.keys() or one.in_memory != other.in_memory:
        return False
    numbers = np.resize(one.splits["train"], batch_size)
    trees = [
        (
            data.splits,
            dict(data.examples) if isinstance(data.examples, Mapping) else (),
            data.prepare(data.read(numbers)),
        )
        for data in (one, other)
    ]
    leaves, others = map(jax.tree.leaves, trees)
    return len(leaves) == len(others) and all(map(np.array_equal, leaves, others))
