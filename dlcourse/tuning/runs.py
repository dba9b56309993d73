"""The run behind a group of trials: one call of the training loop, watched for pruning."""

import contextlib
import dataclasses
import io
import json
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse import training
from dlcourse.errors import UserError
from dlcourse.training.run.interruption import Interruption
from dlcourse.training.run.loop import Diverged, Interrupted
from dlcourse.tuning.side_by_side import learner_of
from dlcourse.tuning.trial import Trial


class Watch(Interruption):
    """Stops a run when its own validation rows speak against it, or when a signal comes.

    The loop asks at every chunk, and it has brought each evaluation to `metrics.jsonl` by then.
    """

    def __init__(
        self, outer: Interruption, folder: pathlib.Path, judge: Callable[[int, dict], bool]
    ) -> None:
        """Calls `judge` with the number of each evaluation, from 1, and its row."""
        super().__init__()
        self.outer, self.judge = outer, judge
        self.rows = folder / "metrics.jsonl"
        self.size, self.seen, self.pruned = 0, 0, False

    def __bool__(self) -> bool:
        if self.outer:
            self.signal = self.outer.signal
        elif not self.pruned and self.rows.exists() and self.rows.stat().st_size != self.size:
            self.size = self.rows.stat().st_size
            self.pruned = self._speak_against()
            self.signal = "pruning" if self.pruned else None
        return self.signal is not None

    def _speak_against(self) -> bool:
        whole = [line for line in self.rows.read_text().splitlines(True) if line.endswith("\n")]
        rows = [json.loads(line) for line in whole]
        new = [row for row in rows if row["split"] == "validation"][self.seen :]
        for row in new:
            self.seen += 1
            if self.judge(self.seen, row):
                return True
        return False


@dataclasses.dataclass(frozen=True)
class Runs:
    """How the trials of a search are trained.

    Attributes:
        experiment: from a config to a `training.Experiment`.
        config: what all trials share.
        name: the experiment's name.
        metric: which validation metric counts.
        traced: which options trials that share a run may differ in.
        folder: where the run folders go.
        interruption: the signal that stops everything.
    """

    experiment: Callable[[Any], training.Experiment]
    config: training.Config
    name: str
    metric: str
    traced: Sequence[str]
    folder: pathlib.Path
    interruption: Interruption

    def alike(self, values: Mapping[str, Any]) -> tuple:
        """What trials that share a run have in common."""
        return tuple(value for name, value in values.items() if name not in self.traced)

    def train(
        self, trials: Sequence[Trial], judge: Callable[[int, float], bool] | None
    ) -> list[float] | None:
        """Trains a group, from where it stopped if it did.

        Args:
            trials: trials alike.
            judge: told the metric of a lone trial at each evaluation, it may end the trial there.

        Returns:
            The metric of each trial, not a number where it diverged; None if the judge ended it.

        Raises:
            Interrupted: a signal came; the run is saved.
        """
        folder = self.folder / trials[0].run
        config = dataclasses.replace(
            self.config, **trials[0].values, workdir=folder, progress=False
        )
        experiment = without_test(self.experiment(config))
        if self.traced:
            varying = {
                name: np.array([trial.values[name] for trial in trials], np.float32)
                for name in self.traced
            }
            learner = learner_of(self.experiment, config, varying)
            experiment = dataclasses.replace(experiment, learner=learner)
        interruption = self.interruption
        if judge is not None:
            interruption = Watch(
                interruption, folder, lambda n, row: judge(n, float(self._values(row).mean()))
            )
        folder.mkdir(parents=True, exist_ok=True)
        members = [{"trial": trial.number} | trial.values for trial in trials]
        (folder / "members.json").write_text(json.dumps(members, indent=2) + "\n")
        try:
            # A table for each of a hundred trials would hide the one of the search.
            with contextlib.redirect_stdout(io.StringIO()):
                result = training.run(experiment, config, name=self.name, interruption=interruption)
        except Diverged:
            return [float("nan")] * len(trials)
        except Interrupted:
            if self.interruption:
                raise
            return None
        return self._outcome(result.folder.rows, result.summary["best"]["step"]).tolist()

    def clear(self, trials: Sequence[Trial]) -> None:
        """Removes the checkpoints of a group that has ended, which serve to go on."""
        shutil.rmtree(self.folder / trials[0].run / "checkpoints", ignore_errors=True)

    def _outcome(self, rows: Sequence[Mapping[str, Any]], best: Any) -> np.ndarray:
        """The metric of the weights that the run kept: the best with `patience`, else the last."""
        validation = {
            row["step"]: self._values(row) for row in rows if row["split"] == "validation"
        }
        values = validation[max(validation)]
        if self.config.patience:
            kept = self._shaped(best)
            values = np.full(kept.shape, np.nan)
            for step, row in validation.items():
                values = np.where(kept == step, row, values)
        else:
            train = [row for row in rows if row["split"] == "train"][-1]
            for name in train.keys() - {"step", "split"}:
                values = np.where(np.isnan(self._shaped(train[name])), np.nan, values)
        return values.mean(0)

    def _values(self, row: Mapping[str, Any]) -> np.ndarray:
        return self._shaped(row[self.metric])

    def _shaped(self, value: Any) -> np.ndarray:
        """What a run logged of its seeds and members, as `[seeds, members]`; null is nan."""
        value = value["values"] if isinstance(value, Mapping) else value
        return np.array(value, np.float64).reshape(self.config.seeds, -1)


def without_test(experiment: training.Experiment) -> training.Experiment:
    """The experiment for a trial: nothing is drawn, and the test split is not even measured."""
    data = experiment.data
    splits = {name: numbers for name, numbers in data.splits.items() if name != "test"}
    if "validation" not in splits:
        raise UserError(
            f"'{data.name}' has no validation split, and a search must not judge by the test split."
        )
    return dataclasses.replace(
        experiment, data=dataclasses.replace(data, splits=splits), figures={}, snapshots={}
    )
