"""A trial: one point of the search space and its outcome."""

import dataclasses
from collections.abc import Iterable
from typing import Any, Literal

from dlcourse.tuning.space import Choice, Space, Values, text

State = Literal["running", "complete", "pruned", "diverged"]


@dataclasses.dataclass(frozen=True)
class Trial:
    """One trial of the journal.

    Attributes:
        number: the number of the trial, from 0.
        values: the hyperparameters.
        state: a pruned trial was stopped early, a diverged trial had a non-finite loss.
        value: the validation metric of a complete trial, otherwise None.
        reports: the metric at each evaluation so far, by its number from 1; recorded for pruning.
        run: the run folder, shared by trials that train side by side.
        worker: the process that runs the trial.
    """

    number: int
    values: Values
    state: State = "running"
    value: float | None = None
    reports: dict[int, float] = dataclasses.field(default_factory=dict)
    run: str = ""
    worker: str = ""

    def to_optuna(self, space: Space) -> Any:
        """Converts to Optuna's `FrozenTrial`: tuples become texts, divergence becomes pruning."""
        from optuna.trial import TrialState, create_trial

        states = {"running": TrialState.RUNNING, "complete": TrialState.COMPLETE}
        return create_trial(
            state=states.get(self.state, TrialState.PRUNED),
            value=self.value,
            params={
                name: text(value) if isinstance(space[name], Choice) else value
                for name, value in self.values.items()
            },
            distributions={name: dimension.distribution() for name, dimension in space.items()},
            intermediate_values=self.reports,
            user_attrs={"run": self.run, "worker": self.worker},
        )


def ranked(trials: Iterable[Trial], *, maximize: bool) -> list[Trial]:
    """The complete trials from best to worst; ties by number."""
    sign = -1 if maximize else 1
    complete = [(sign * t.value, t.number, t) for t in trials if t.value is not None]
    return [trial for *_, trial in sorted(complete, key=lambda entry: entry[:2])]


def from_optuna(trial: Any, space: Space) -> Trial:
    """Converts back from the trial that `to_optuna` returned."""
    complete = trial.state.name == "COMPLETE"
    states: dict[str, State] = {"RUNNING": "running", "COMPLETE": "complete", "PRUNED": "pruned"}
    ended = "diverged" if trial.user_attrs.get("diverged") else states[trial.state.name]
    return Trial(
        trial.number,
        values_of(trial.params, space),
        ended,
        trial.value if complete else None,
        trial.intermediate_values,
        trial.user_attrs["run"],
        trial.user_attrs["worker"],
    )


def values_of(params: dict[str, Any], space: Space) -> Values:
    """Converts Optuna's parameters, in which choices are texts, to values."""
    values = {}
    for name, dimension in space.items():
        values[name] = params[name]
        if isinstance(dimension, Choice):
            texts = [text(value) for value in dimension.values]
            values[name] = dimension.values[texts.index(params[name])]
    return values
