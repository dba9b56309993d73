"""Different learners side by side, on the same batches: what a comparison is made of."""

from collections.abc import Mapping
from typing import Any

from dlcourse.learner import Batch, Learner, Metrics, State


def together(learners: Mapping[str, Learner]) -> Learner:
    """Trains every one of `learners` in the same steps, each as it would learn alone.

    They may differ in anything, a model or a rule; for those that differ in numbers only,
    `training.population` makes one vectorised program. All see the same batches and the same keys.

    The state is a dict by name. The metric m of the learner n is called `m/n`.
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

    return Learner(init, step, evaluate)


def _named(values: Mapping[str, Metrics]) -> Metrics:
    return {f"{metric}/{name}": v for name, each in values.items() for metric, v in each.items()}
