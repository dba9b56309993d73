"""A search: trials are claimed, trained and judged until the study has enough of them."""

import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlcourse.errors import UserError
from dlcourse.training import Config, Experiment
from dlcourse.training.run.ends import Interrupted
from dlcourse.training.run.interruption import Interruption
from dlcourse.tuning import results
from dlcourse.tuning.plan import Plan, Search, make_plan
from dlcourse.tuning.results import Result
from dlcourse.tuning.runner import Judge, Runner
from dlcourse.tuning.side_by_side import traceable
from dlcourse.tuning.space import Values
from dlcourse.tuning.study import Study
from dlcourse.tuning.trial import Trial, ranked

REDUCTION = 3  # successive halving keeps the best third at each rung


def search(
    experiment: Callable[[Any], Experiment],
    config: Config,
    search: Search,
    *,
    name: str,
    folder: pathlib.Path | None = None,
    file: pathlib.Path | None = None,
    command: Callable[[Values], str] | None = None,
    say: results.Say = results.show,
    interruption: Interruption | None = None,
) -> Result:
    """Searches a space for the hyperparameters with the best validation metric.

    Trials that differ only in continuous hyperparameters train side by side. A search that was
    stopped goes on when it is started again; started in several processes, they share the study. A
    finished search by `random`, `tpe` or `gp` is extended by a larger number of trials: it proposes
    the points of a search that was given this number at the start.

    With `search.prune`, a trial ends if it is not among the best third of those that came as far,
    at 1/9 and at 1/3 of its evaluations (successive halving, asynchronous: Li et al., 2020).

    Args:
        experiment: from a config to learner and data, as in an experiment file.
        config: the fields that all trials share.
        search: the space, the method, the number of trials, ...
        name: the experiment's name.
        folder: of the study; by default one under `runs/tuning` that the search determines.
        file: the experiment file, for later commands on the folder of a trial.
        command: the command line that trains with these values, for the report.
        say: shows lines and tables.
        interruption: truthy once everything should stop.

    Raises:
        Interrupted: a signal came; the study is saved.
        UserError: something outside is wrong; the message says what.
    """
    # Not `interruption or ...`: one that has not come yet is false.
    listening = Interruption() if interruption is None else interruption
    plan = make_plan(experiment, config, search, name)
    folder = folder or plan.default_folder
    try:
        with Study(folder, search.space, plan.maximize) as study:
            study.require_same(plan.description, plan.method.extends)
            traced, reasons = _traceable(plan, experiment, config)
            _announce(say, plan, traced, reasons, folder)
            runner = Runner(
                experiment, config, name, file, plan.measured, traced, folder / "trials", listening
            )
            _train(study, plan, runner, config, say)
            return _report(study, plan, config, command, say)
    except Interrupted as stop:
        raise Interrupted(
            f"Stopped by {listening.signal}; the study in {folder} is saved. "
            "The same command resumes it."
        ) from stop
    except OSError as error:
        raise UserError(
            f"The study in {folder} could not be written ({error.strerror or error}). "
            "What was saved stands; make room and start the same command again."
        ) from error


def _traceable(
    plan: Plan, experiment: Callable[[Any], Experiment], config: Config
) -> tuple[list[str], dict[str, str]]:
    """The options that trials in one program may differ in, and why others may not."""
    if plan.at_once == 1:
        return [], {}
    return traceable(experiment, config, plan.search.space)


def _train(study: Study, plan: Plan, runner: Runner, config: Config, say: results.Say) -> None:
    """Trains group after group until no trial is left to claim."""
    pruner = None
    if plan.search.prune:
        pruner = _pruner(config.cadence(config.evaluate_every, plan.example.data).count())
    while groups := study.claim(plan.method, plan.at_once, runner.alike):
        for group in groups:
            judge = None if pruner is None else _judge(study, group[0], pruner)
            values = runner.train(group, judge)
            runner.clear(_end(study, group, values))
            say(results.line(group, study.trials, plan.method.trials, plan.metric))
            if runner.interruption:
                raise Interrupted


def _report(
    study: Study,
    plan: Plan,
    config: Config,
    command: Callable[[Values], str] | None,
    say: results.Say,
) -> Result:
    """The result of a study, written to its folder and shown."""
    with study.lock:
        trials = study.trials
        best = next(iter(ranked(trials, maximize=plan.maximize)), None)
        result = Result(config, trials, best, plan.metric, study.folder)
        results.report(
            result, plan.search.space, study.importances(), plan.description, command, say
        )
    return result


def _judge(study: Study, trial: Trial, pruner: Any) -> Judge:
    """Reports the evaluations of a trial to the study, and asks the pruner about each.

    A run that goes on is told of its earlier evaluations again. Those before the last reported
    one passed; about the last the process may have been stopped before it asked.
    """
    reported = max(trial.reports, default=0)

    def judge(evaluation: int, value: float) -> bool:
        if evaluation > reported:
            study.report(trial, evaluation, value)
        return evaluation >= reported and study.should_prune(trial, pruner)

    return judge


def _end(study: Study, group: Sequence[Trial], values: Sequence[float | None]) -> list[Trial]:
    """Writes down how each trial of a group ended.

    Returns:
        The trials as they are now.
    """
    for trial, value in zip(group, values, strict=True):
        if trial.state != "running":
            continue  # it ended before this worker took the group over
        if value is None or math.isnan(value):
            study.prune(trial, diverged=value is not None)
        else:
            study.complete(trial, value)
    numbers = {trial.number for trial in group}
    return [trial for trial in study.trials if trial.number in numbers]


def _pruner(evaluations: int) -> Any:
    from optuna.pruners import SuccessiveHalvingPruner

    first = max(1, evaluations // REDUCTION**2)
    return SuccessiveHalvingPruner(min_resource=first, reduction_factor=REDUCTION)


def _announce(
    say: results.Say,
    plan: Plan,
    traced: Sequence[str],
    reasons: Mapping[str, str],
    folder: pathlib.Path,
) -> None:
    searched = "; ".join(f"{name} {dimension}" for name, dimension in plan.search.space.items())
    say(f"Searching {searched}")
    say(
        f"{plan.search.method}, {plan.method.trials} trials, {plan.metric} on the validation "
        f"split, in {folder}"
    )
    if traced:
        names = " and ".join(traced)
        say(f"Up to {plan.at_once} train side by side, if they differ only in {names}.")
    else:
        say("One trial after another.")
    for name, reason in reasons.items():
        say(f"Trials that differ in {name} train one after another: {reason}.")
