"""Training the trials of a search: each group of them is one run of the training loop."""

import dataclasses
import json
import math
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse.errors import UsageError
from dlcourse.training import Config, Experiment, Run
from dlcourse.training.commands.compare import attempt
from dlcourse.training.run.ends import Diverged, Ended
from dlcourse.training.run.folder import members
from dlcourse.training.run.hooks import Hooks, Row
from dlcourse.training.run.interruption import Interruption
from dlcourse.tuning.plan import without_test
from dlcourse.tuning.side_by_side import learner_of
from dlcourse.tuning.trial import Trial

# (number of the evaluation from 1, metric) -> whether the trial ends here
Judge = Callable[[int, float], bool]


class Pruning(Hooks):
    """Ends a run where a judge says so, or where its metric is not finite.

    The last evaluation is judged too, but the run is finished then and counts as complete.

    Attributes:
        diverged: the metric was not finite.
    """

    def __init__(self, judge: Judge, measure: Callable[[Row], float], evaluations: int) -> None:
        self.diverged = False
        self._judge, self._measure, self._evaluations = judge, measure, evaluations

    def evaluated(self, number: int, row: Row) -> bool:
        value = self._measure(row)
        self.diverged = math.isnan(value)
        return self.diverged or (self._judge(number, value) and number < self._evaluations)


@dataclasses.dataclass(frozen=True)
class Runner:
    """Trains the trials of a search.

    A trial alone in its run is an ordinary run of the experiment. Several in one run are a
    population, whose state holds all of them.

    Attributes:
        experiment: from a config to learner and data.
        config: what all trials share.
        name: the experiment's name.
        file: the experiment file.
        metric: which validation metric counts.
        traced: in which options trials that share a run may differ.
        folder: where the run folders go.
        interruption: truthy once everything should stop.
    """

    experiment: Callable[[Any], Experiment]
    config: Config
    name: str
    file: pathlib.Path | None
    metric: str
    traced: Sequence[str]
    folder: pathlib.Path
    interruption: Interruption

    def alike(self, values: Mapping[str, Any]) -> tuple:
        """What trials that share a run have in common."""
        return tuple(value for name, value in values.items() if name not in self.traced)

    def train(self, trials: Sequence[Trial], judge: Judge | None = None) -> list[float | None]:
        """Trains a group, from where it stopped if it did.

        Args:
            trials: trials alike.
            judge: is shown the metric of a single trial at each evaluation, and may end it.

        Returns:
            The metric of each trial, nan where it diverged, None where the judge ended it.

        Raises:
            Interrupted: a signal came; the run is saved.
            UsageError: the values are within their limits and do not go together.
        """
        folder = self.folder / trials[0].run
        try:
            config = dataclasses.replace(self.config, **trials[0].values, workdir=folder)
        except ValueError as error:
            raise UsageError(f"Trial {trials[0].number} is impossible: {error}.") from error
        experiment = self._experiment(trials, config)
        hooks = None
        if judge is not None:
            cadence = config.cadence(config.evaluate_every, experiment.data)
            hooks = Pruning(judge, lambda row: float(self._values(row).mean()), cadence.count())
        folder.mkdir(parents=True, exist_ok=True)
        members = [{"trial": trial.number} | trial.values for trial in trials]
        (folder / "members.json").write_text(json.dumps(members, indent=2) + "\n")
        try:
            outcome = attempt(
                lambda _: experiment,
                config,
                name=f"{self.name}/{trials[0].run}",
                file=self.file,
                interruption=self.interruption,
                hooks=hooks,
                silent=True,  # a table for each of a hundred trials would hide that of the search
            )
        except Ended:
            return [math.nan if hooks is not None and hooks.diverged else None]
        if isinstance(outcome, Diverged):
            return [math.nan] * len(trials)
        return self._outcome(outcome, experiment.learner.parts).tolist()

    def clear(self, trials: Sequence[Trial]) -> None:
        """Removes the checkpoints of a group that will not be read any more.

        The newest one of a trial that trained alone and completed stays: it is a trained model.
        """
        place = self.folder / trials[0].run / "checkpoints"
        steps = sorted((step for step in place.glob("*") if step.name.isdigit()), key=_step)
        (trial, *others) = trials
        stays = steps[-1:] if trial.state == "complete" and not others else []
        for step in steps:
            if step not in stays:
                shutil.rmtree(step, ignore_errors=True)

    def _experiment(self, trials: Sequence[Trial], config: Config) -> Experiment:
        """The experiment of a group: of one trial its own, of several a population."""
        experiment = without_test(self.experiment(config))
        if len(trials) == 1:
            return experiment
        varying = {
            name: np.array([trial.values[name] for trial in trials], np.float32)
            for name in self.traced
        }
        return dataclasses.replace(experiment, learner=learner_of(self.experiment, config, varying))

    def _outcome(self, run: Run, parts: Sequence[str]) -> np.ndarray:
        """The metric of the weights that a run kept: the best with `patience`, else the last."""
        part = self.metric.partition("/")[2] if parts else ""
        validation = {
            row["step"]: self._values(row) for row in run.rows if row["split"] == "validation"
        }
        if self.config.patience:
            best = run.summary["best"]
            kept = self._shaped((best[part] if part else best)["step"])
            values = np.full(kept.shape, np.nan)
            for step, found in validation.items():
                values = np.where(kept == step, found, values)
            return values.mean(0)
        values = validation[max(validation)]
        last = [row for row in run.rows if row["split"] == "train"][-1]
        for name in last.keys() - {"step", "split"}:
            if name.endswith(f"/{part}" if part else ""):
                values = np.where(np.isnan(self._shaped(last[name])), np.nan, values)
        return values.mean(0)

    def _values(self, row: Row) -> np.ndarray:
        return self._shaped(row[self.metric])

    def _shaped(self, value: Any) -> np.ndarray:
        """What a run logged of its seeds and members, as `[seeds, members]`; null is nan."""
        return members(value).reshape(self.config.seeds, -1)


def _step(checkpoint: pathlib.Path) -> int:
    return int(checkpoint.name)
