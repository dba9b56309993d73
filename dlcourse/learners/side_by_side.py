"""Different learners side by side, on the same batches: one way to compare."""

import functools
from collections.abc import Mapping
from typing import Any

from dlcourse.learner import Batch, Learner, Metrics, State


def side_by_side(learners: Mapping[str, Learner]) -> Learner:
    """Trains every one of `learners` in the same steps, each as it would learn alone.

    They may differ in anything: a model, a rule, a target. For learners that differ only in
    numbers, `training.population` makes one vectorised program. All see the same batches and keys.

    The state and the outputs of `apply` are dicts by name. The metric m of the learner n is called
    `m/n`. An option of the policy is honoured if every learner honours it.
    """

    def init(key: Any, batch: Batch) -> State:
        return {name: learner.init(key, batch) for name, learner in learners.items()}

    def step(state: State, batch: Batch, key: Any) -> tuple[State, Metrics]:
        stepped = {name: each.step(state[name], batch, key) for name, each in learners.items()}
        return (
            {name: state for name, (state, _) in stepped.items()},
            _named({name: values for name, (_, values) in stepped.items()}),
        )

    def evaluate(state: State, batch: Batch) -> Metrics:
        return _named({name: each.evaluate(state[name], batch) for name, each in learners.items()})

    def apply(state: State, batch: Batch, key: Any) -> dict[str, Any]:
        return {name: each.apply(state[name], batch, key) for name, each in learners.items()}

    honours = functools.reduce(frozenset.intersection, (each.honours for each in learners.values()))
    return Learner(init, step, evaluate, apply, honours, parts=tuple(learners))


def _named(values: Mapping[str, Metrics]) -> Metrics:
    return {f"{metric}/{name}": v for name, each in values.items() for metric, v in each.items()}
