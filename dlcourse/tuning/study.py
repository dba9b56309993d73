"""A study on disk: a journal of trials, shared by several processes."""

import contextlib
import json
import os
import pathlib
import secrets
import socket
from collections.abc import Callable, Hashable, Iterator, Mapping
from types import TracebackType
from typing import Any

from dlcourse.errors import UsageError, UserError
from dlcourse.training.run.written import read_object
from dlcourse.tuning.lock import FileLock, JournalLock
from dlcourse.tuning.methods import Method
from dlcourse.tuning.space import Space, Values
from dlcourse.tuning.trial import Trial, from_optuna

NAME = "dlcourse"


@contextlib.contextmanager
def _readable(journal: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UserError(
            f"{journal} is damaged ({error}). Search again in another --workdir."
        ) from error


class Study:
    """The trials of a search and the workers that run them.

    The journal has Optuna's format and can be opened with Optuna's tools. A worker is a process
    that has entered the study. It holds the lock of its name while it lives. A running trial whose
    worker's lock is free was abandoned, and the next worker takes it over.

    Attributes:
        lock: held by the worker that claims trials or writes the results.
    """

    def __init__(self, folder: pathlib.Path, space: Space, maximize: bool) -> None:
        self.folder, self.space = folder, space
        self._direction: Any = "maximize" if maximize else "minimize"
        # Process numbers repeat, for example in every container.
        self.worker = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

    def __enter__(self) -> "Study":
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalStorage

        self._workers = self.folder / "workers"
        self._workers.mkdir(parents=True, exist_ok=True)
        self._alive = FileLock(self._workers / self.worker)
        self._alive.acquire()
        self.lock = FileLock(self.folder / "claim.lock")
        journal = self.folder / "journal.log"
        lock: Any = JournalLock(journal)  # Optuna's own lock outlives a killed process by 30 s
        # Optuna logs a line for every study and trial; the search prints its own.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with self.lock, _readable(journal):
            self._storage = JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))
            exists = bool(self._storage.get_all_studies())
            self._study = (
                optuna.load_study(study_name=NAME, storage=self._storage)
                if exists
                else optuna.create_study(
                    study_name=NAME, storage=self._storage, direction=self._direction
                )
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._alive.release()
        self._alive.path.unlink(missing_ok=True)

    def require_same(self, search: Mapping[str, Any], extends: bool) -> None:
        """Records the search in a new folder, or checks that the folder holds the same search.

        Args:
            search: the description of the search.
            extends: the number of trials may differ; the largest is recorded.

        Raises:
            UsageError: the folder holds another search; the message lists the differences.
        """
        place = self.folder / "search.json"
        now = json.loads(json.dumps(search))
        with self.lock:
            before = read_object(place) if place.exists() else now
            differing = [
                name
                for name in sorted(before.keys() | now.keys())
                if before.get(name) != now.get(name) and not (extends and name == "trials")
            ]
            if not differing and (not place.exists() or now["trials"] > before["trials"]):
                unfinished = place.with_suffix(".part")
                unfinished.write_text(json.dumps(now, indent=2) + "\n")
                unfinished.replace(place)
        if differing:
            changes = (
                f"{name} was {before.get(name)} and is {now.get(name)}" for name in differing
            )
            fixed = (
                f" The points of a {now['method']} search depend on the number of trials."
                if differing == ["trials"]
                else ""
            )
            raise UsageError(
                f"{self.folder} holds another search: {'; '.join(changes)}.{fixed}\n"
                "Use the same options, or choose another --workdir."
            )

    @property
    def trials(self) -> list[Trial]:
        """All trials so far, in order of their number."""
        return [from_optuna(trial, self.space) for trial in self._study.get_trials(deepcopy=False)]

    def claim(
        self, method: Method, at_once: int, alike: Callable[[Values], Hashable]
    ) -> list[list[Trial]]:
        """The next trials of this worker, in groups that share a run; empty if none are left.

        Args:
            method: proposes new trials.
            at_once: the maximum number of trials.
            alike: maps values to a key; trials with the same key may share a run.
        """
        with self.lock:
            trials = self.trials
            left = [trial for trial in trials if trial.state == "running" and self._left(trial)]
            for trial in left:
                self._storage.set_trial_user_attr(self._id(trial), "worker", self.worker)
            if left:
                # With the trials of the run that have ended: its checkpoint contains them.
                taken = dict.fromkeys(trial.run for trial in left)
                return [[trial for trial in trials if trial.run == run] for run in taken]
            runs: dict[Hashable, list[Trial]] = {}
            proposed = method.propose(trials, at_once)
            for number, values in enumerate(proposed, len(trials)):
                key = alike(values)
                run = runs[key][0].run if key in runs else f"{number:04d}"
                trial = Trial(number, values, run=run, worker=self.worker)
                self._study.add_trial(trial.to_optuna(self.space))
                runs.setdefault(key, []).append(trial)
            return list(runs.values())

    def _left(self, trial: Trial) -> bool:
        lock = FileLock(self._workers / trial.worker)
        free = lock.acquire(wait=False)
        if free:
            lock.release()
            lock.path.unlink()
        return free

    def report(self, trial: Trial, evaluation: int, value: float) -> None:
        """Records the metric of a running trial at one of its evaluations."""
        self._storage.set_trial_intermediate_value(self._id(trial), evaluation, value)

    def should_prune(self, trial: Trial, pruner: Any) -> bool:
        """Whether an Optuna pruner would stop a running trial."""
        return pruner.prune(self._study, self._storage.get_trial(self._id(trial)))

    def complete(self, trial: Trial, value: float) -> None:
        """Marks a trial as complete, with its validation metric."""
        self._study.tell(trial.number, value)

    def prune(self, trial: Trial, *, diverged: bool = False) -> None:
        """Marks a trial as pruned or, with `diverged`, as diverged."""
        from optuna.trial import TrialState

        if diverged:
            self._storage.set_trial_user_attr(self._id(trial), "diverged", True)
        self._study.tell(trial.number, state=TrialState.PRUNED)

    def importances(self) -> dict[str, float]:
        """The share of each hyperparameter in the variance of the metric, in descending order.

        Computed by functional ANOVA of a random forest (Hutter et al., 2014) over the complete
        trials. Empty for fewer than four complete trials, or if all have the same metric.
        """
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances

        values = [trial.value for trial in self.trials if trial.value is not None]
        if len(values) < 4 or len(set(values)) < 2:
            return {}
        return get_param_importances(self._study, evaluator=FanovaImportanceEvaluator(seed=0))

    def _id(self, trial: Trial) -> int:
        study = self._storage.get_study_id_from_name(NAME)
        return self._storage.get_trial_id_from_study_id_trial_number(study, trial.number)
