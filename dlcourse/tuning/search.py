"""A search: trials are claimed, trained and judged until the study has enough of them."""

import dataclasses
import hashlib
import json
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from dlcourse import training
from dlcourse.errors import UsageError, UserError
from dlcourse.training.config import PLACE, as_json
from dlcourse.training.run.interruption import Interruption
from dlcourse.training.run.loop import Interrupted
from dlcourse.tuning import methods, notation, results
from dlcourse.tuning.runs import Runs, without_test
from dlcourse.tuning.side_by_side import metric_names, traceable
from dlcourse.tuning.space import Space, Values
from dlcourse.tuning.study import Study
from dlcourse.tuning.trial import Trial, ranked

REDUCTION = 3  # successive halving keeps the best third at each rung


@dataclasses.dataclass(frozen=True)
class Result:
    """A study, as far as it has come.

    Attributes:
        trials: all of them, by number.
        best: the complete trial with the best metric, None without one.
        metric: `min METRIC` or `max METRIC`.
        folder: where everything lies.
    """

    trials: list[Trial]
    best: Trial | None
    metric: str
    folder: pathlib.Path


def search(
    experiment: Callable[[Any], training.Experiment],
    config: training.Config,
    space: Space,
    *,
    name: str,
    method: methods.Name = "random",
    trials: int = 20,
    metric: str | None = None,
    seed: int = 0,
    prune: bool = False,
    side_by_side: int | None = None,
    folder: pathlib.Path | None = None,
    command: Callable[[Values], str] | None = None,
    say: results.Say = results.show,
    interruption: Interruption | None = None,
) -> Result:
    """Searches a space for the hyperparameters with the best validation metric.

    Trials that differ only in continuous hyperparameters train side by side. Started again, a
    stopped study goes on; started in several processes, they share it.

    Args:
        experiment: from a config to a `training.Experiment`, as in an experiment file.
        config: the fields that all trials share.
        space: the fields that are searched, with their ranges and choices.
        name: the experiment's name.
        method: see `methods`.
        trials: how many; a grid takes as many as fit its levels.
        metric: `min METRIC` or `max METRIC` on the validation split; else what is monitored.
        seed: of the search; the trials have the seed of `config`.
        prune: stop a trial that is not among the best third of those that came as far, at 1/9
            and at 1/3 of its evaluations (successive halving, asynchronous: Li et al., 2020).
        side_by_side: how many trials at most train together; with `prune` one.
        folder: of the study; else one under `runs/tuning` that the search itself names.
        command: the command line that trains with these values, for the report.
        say: where lines and the table for a person go.
        interruption: truthy once everything should stop.

    Raises:
        Interrupted: a signal came; the study is saved.
        UserError: something outside is wrong; the message says what.
    """
    if jax.process_count() > 1:
        raise UsageError(
            "A search trains each trial in one process. Start the same command several times "
            "instead: they share the study."
        )
    listening = Interruption() if interruption is None else interruption
    notation.require_valid(space, config)
    example = without_test(experiment(config))
    metric = metric or example.monitor
    direction, _, measured = metric.partition(" ")
    if direction not in ("min", "max") or not measured:
        raise UsageError(f"The metric is '{metric}'; write 'min loss' or 'max accuracy'.")
    known = metric_names(example.learner, example.data, config.batch_size)
    if measured not in known:
        raise UsageError(f"The experiment measures no {notation.nearest(measured, known)}")
    if prune and (side_by_side or 1) > 1:
        raise UsageError("Pruning stops single runs: leave out --side-by-side, or --prune.")
    if seed < 0 or (side_by_side or 1) < 1:
        raise UsageError("--seed must not be negative, and --side-by-side at least 1.")
    maximize = direction == "max"
    proposer = methods.make_method(method, space, trials, maximize, seed)
    at_once = 1 if prune else side_by_side or proposer.at_once
    description = {
        "experiment": name,
        "metric": metric,
        "method": method,
        "trials": proposer.trials,
        "seed": seed,
        "prune": prune,
        "search": {field: str(dimension) for field, dimension in space.items()},
        "config": {f: v for f, v in as_json(config).items() if f not in {*PLACE, *space}},
    }
    may_differ = frozenset({"trials"} if proposer.extends else ())
    folder = folder or default_folder(description, may_differ)
    try:
        with Study(folder, space, maximize) as study:
            study.require_same(description, may_differ)
            traced, reasons = traceable(experiment, config, space)
            _announce(say, space, method, proposer, metric, at_once, traced, reasons, folder)
            runs = Runs(experiment, config, name, measured, traced, folder / "trials", listening)
            pruner = _pruner(len(config.boundaries(config.evaluate_every, example.data)))
            while groups := study.claim(proposer, at_once, runs.alike):
                for group in groups:
                    _train(study, runs, group, pruner if prune else None)
                    say(results.line(group, study.trials, proposer.trials, metric))
                    _stop_if_asked(listening)
            with study.lock:
                found = study.trials
                best = next(iter(ranked(found, maximize=maximize)), None)
                result = Result(found, best, metric, folder)
                results.report(result, space, study.importances(), description, command, say)
            return result
    except Interrupted as stop:
        raise Interrupted(
            f"Stopped by {listening.signal}; the study in {folder} is saved. "
            "The same command goes on."
        ) from stop
    except OSError as error:
        raise UserError(
            f"The study in {folder} could not be written ({error.strerror or error}). "
            "What was saved stands; make room and start the same command again."
        ) from error


def default_folder(description: Mapping[str, Any], may_differ: frozenset[str]) -> pathlib.Path:
    """The folder of a search without one: the same search finds the same again."""
    same = {name: value for name, value in description.items() if name not in may_differ}
    digest = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:8]
    base = pathlib.Path("runs") / "tuning" / description["experiment"]
    return base / f"{description['method']}-{digest}"


def _train(study: Study, runs: Runs, group: Sequence[Trial], pruner: Any) -> None:
    """Trains a group and writes down how each of its trials ended."""
    diverged = False

    def judge(evaluation: int, value: float) -> bool:
        nonlocal diverged
        (trial,) = group
        diverged = math.isnan(value)
        if diverged:
            return True
        if evaluation not in trial.reports:
            study.report(trial, evaluation, value)
        return study.should_prune(trial, pruner)

    values = runs.train(group, judge if pruner is not None else None)
    for number, trial in enumerate(group):
        if trial.state != "running":
            continue  # it ended before this worker took the group over
        if values is None or math.isnan(values[number]):
            study.prune(trial, diverged=values is not None or diverged)
        else:
            study.complete(trial, values[number])
    runs.clear(group)


def _pruner(evaluations: int) -> Any:
    from optuna.pruners import SuccessiveHalvingPruner

    first = max(1, evaluations // REDUCTION**2)
    return SuccessiveHalvingPruner(min_resource=first, reduction_factor=REDUCTION)


def _stop_if_asked(interruption: Interruption) -> None:
    if interruption:
        raise Interrupted


def _announce(
    say: results.Say,
    space: Space,
    method: str,
    proposer: methods.Method,
    metric: str,
    at_once: int,
    traced: Sequence[str],
    reasons: Mapping[str, str],
    folder: pathlib.Path,
) -> None:
    searched = "; ".join(f"{name} {dimension}" for name, dimension in space.items())
    say(f"Searching {searched}")
    say(f"{method}, {proposer.trials} trials, {metric} on the validation split, in {folder}")
    if at_once > 1 and traced:
        say(f"Up to {at_once} side by side, if they differ in {' and '.join(traced)} alone.")
    else:
        say("One trial after another.")
    if at_once > 1:
        for name, reason in reasons.items():
            say(f"Trials that differ in {name} train one after another: {reason}.")
