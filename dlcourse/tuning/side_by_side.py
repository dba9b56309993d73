"""Trials that differ only in continuous hyperparameters, as one learner in one program."""

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse.data import Dataset
from dlcourse.learner import Learner
from dlcourse.training import Config, Experiment, population
from dlcourse.training.optimization import Optimization
from dlcourse.tuning.space import Choice, Space

C = TypeVar("C", bound=Config)
Hyperparameters = Mapping[str, Any]  # by field, a number or an array `[members]`


def with_hyperparameters(config: C, hyperparameters: Hyperparameters) -> C:
    """The config with traced numbers in it. Its own checks need plain numbers and are skipped."""
    traced = copy.copy(config)
    for name, value in hyperparameters.items():
        object.__setattr__(traced, name, value)
    return traced


def traceable(
    experiment: Callable[[C], Experiment], config: C, space: Space
) -> tuple[list[str], dict[str, str]]:
    """Which searched options may differ between trials in one program.

    They are real numbers of the optimizer or of the experiment's own config that affect only the
    learner, and there neither a shape nor a Python condition.

    Returns:
        Their names, and the reason for each other real number, to end a sentence.
    """
    numbers, reasons = {}, {}
    common = _names(Config) - _names(Optimization)
    for name, dimension in space.items():
        ends: list[Any] = [dimension.at(0.0), dimension.at(1.0)]
        values = dimension.values if isinstance(dimension, Choice) else ends
        if name in common or not all(isinstance(value, float) for value in values):
            continue
        first, last = (experiment(dataclasses.replace(config, **{name: end})) for end in ends)
        if first.learner.parts:
            reasons[name] = "the learner already trains its parts side by side"
        elif not _same_data(first.data, last.data, config.batch_size):
            reasons[name] = "the data depend on it"
        elif first.monitor != last.monitor:
            reasons[name] = "the monitored metric depends on it"
        else:
            numbers[name] = np.array(ends, np.float32)
    if not numbers or _traces(experiment, config, numbers):  # at best one trace tells of all
        return [*numbers], reasons
    able = [name for name, ends in numbers.items() if _traces(experiment, config, {name: ends})]
    needed = "the experiment needs its value before it compiles"
    return able, reasons | {name: needed for name in numbers if name not in able}


def _names(config: type) -> set[str]:
    return {field.name for field in dataclasses.fields(config)}


def learner_of(
    experiment: Callable[[C], Experiment], config: C, hyperparameters: Hyperparameters
) -> Learner:
    """The learners of an experiment at several values of its numbers, side by side."""
    return population(
        lambda h: experiment(with_hyperparameters(config, h)).learner, hyperparameters
    )


def metric_names(learner: Learner, data: Dataset, batch_size: int) -> list[str]:
    """The names of the metrics of an evaluation."""
    return list(_evaluated(learner, data, batch_size))


def _evaluated(learner: Learner, data: Dataset, batch_size: int) -> dict[str, Any]:
    """The shapes of the metrics of an evaluation after one step; nothing is computed."""
    numbers = np.resize(data.splits["train"], batch_size)

    def run(key: Any) -> Any:
        batch = data.prepare(jax.tree.map(jnp.asarray, data.read(numbers)))
        state, _ = learner.step(learner.init(key, batch), batch, key)
        return learner.evaluate(state, batch | {"mask": jnp.ones(batch_size)})

    return jax.eval_shape(run, jax.eval_shape(jax.random.key, 0))


def _traces(
    experiment: Callable[[C], Experiment], config: C, hyperparameters: Hyperparameters
) -> bool:
    data = experiment(config).data
    try:
        _evaluated(learner_of(experiment, config, hyperparameters), data, config.batch_size)
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
