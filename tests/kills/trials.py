"""Trials: a run is killed, resumed, perhaps killed again, and compared with one left alone."""

import dataclasses
import pathlib
import random
import re
import shutil
import signal
from collections import Counter
from typing import Any

from tests.kills.client import Answer, Client
from tests.kills.left import differences, left
from tests.kills.phases import DEAF
from tests.kills.plan import AGAIN, COLD, RUNS, Life, draw_moments, draw_signals

STOPPED, AT_ONCE = 75, 130
# What no command prints, however it is stopped.
FAULTS = re.compile(r"^(Traceback|Exception ignored|error:|warning:|.*Warning:|Fatal)", re.M)


class Reference:
    """A run of a kind that was left alone.

    Attributes:
        folder: its run folder.
        left: what it left.
        fresh: its life.
        resumed: that of the latest resumed run of this kind, the same at first.
    """

    def __init__(self, client: Client, kind: str) -> None:
        """Runs twice: the first run compiles."""
        self.kind, self.folder = kind, client.folder / "references" / kind.replace(" ", "-")
        for _ in range(2):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            answer = client.start(kind, self.folder)
            if problem := judge([], answer):
                raise RuntimeError(f"The run of kind '{kind}' that was left alone {problem}")
        self.left = left(self.folder)
        self.fresh: Life = (answer.phases, answer.seconds)
        self.resumed = self.fresh


@dataclasses.dataclass
class Counts:
    """What has happened so far.

    Attributes:
        kills: signals that met a living run, by kind, signal and phase.
        statuses: exit statuses of the runs that they met, by signal.
        half_saved: kills that left half a checkpoint.
        trials: runs that were killed at least once and then came to their end.
        failures: each with the number of its trial.
    """

    kills: Counter[tuple[str, str, str]] = dataclasses.field(default_factory=Counter)
    statuses: Counter[tuple[str, int]] = dataclasses.field(default_factory=Counter)
    half_saved: int = 0
    trials: int = 0
    failures: list[dict[str, Any]] = dataclasses.field(default_factory=list)


class Trial:
    """One run that is killed until chance lets it live."""

    def __init__(self, client: Client, reference: Reference, number: int, seed: int) -> None:
        self.reference, self.number = reference, number
        self._client, self._chance = client, random.Random(f"{seed} {number}")
        self._folder = client.folder / f"trial-{number}"
        cold = self._chance.random() < COLD
        self._cache = self._folder.with_suffix(".cache") if cold else None
        self._history: list[str] = []

    def run(self, counts: Counts) -> None:
        """Counts kills and failures; of a failure the folder is kept."""
        self._folder.mkdir()
        killed, finished = True, False
        while killed:
            answer, problem = self._kill(counts)
            finished = answer.status == 0
            killed = not problem and self._chance.random() < AGAIN
        if not problem and not finished:
            answer = self._client.start(self.reference.kind, self._folder, cache=self._cache)
            problem = judge([], answer)
            if "Resuming" in answer.said:
                self.reference.resumed = (answer.phases, answer.seconds)
        what = [problem] if problem else differences(self.reference.left, left(self._folder))
        counts.trials += not problem
        if what:
            counts.failures.append(
                {
                    "trial": self.number, "kind": self.reference.kind, "what": what,
                    "history": self._history, "said": answer.said[-2000:],
                    "folder": str(self._folder),
                }
            )  # fmt: skip
        else:
            shutil.rmtree(self._folder)
            self._folder.with_suffix(".log").unlink()
            if self._cache is not None:
                shutil.rmtree(self._cache, ignore_errors=True)  # there may be none yet

    def _kill(self, counts: Counts) -> tuple[Answer, str]:
        """Starts the run and sends it signals; its end, and what is wrong with it."""
        signals = draw_signals(self._chance)
        life = self.reference.resumed if self._history else self.reference.fresh
        moments = draw_moments(self._chance, len(signals), life)
        answer = self._client.start(
            self.reference.kind, self._folder, signals, moments, self._cache
        )
        names = "+".join(signal.Signals(n).name for n in signals[: len(answer.during)])
        for phase in answer.during[:1]:
            counts.kills[self.reference.kind, names, phase] += 1
            counts.statuses[names, answer.status] += 1
            counts.half_saved += bool([*self._folder.rglob("*.orbax-checkpoint-tmp*")])
        when = ", ".join(f"{moment:.3f}" for moment in moments)
        self._history.append(
            f"{names or 'no signal'} at {when} s, {' '.join(answer.during)}: {answer.status}"
        )
        return answer, judge(signals, answer) or unsaved(self._folder, answer)


def judge(signals: list[int], answer: Answer) -> str:
    """What is wrong with the end of a run; empty if nothing is."""
    phases = {*answer.during}
    deaf = bool(phases & {*DEAF})
    allowed = {0}
    if signal.SIGKILL in signals and phases:
        allowed = {-signal.SIGKILL} | ({0} if deaf else set())
    elif phases:
        allowed = {0, STOPPED}
        if len(answer.during) > 1:
            allowed |= {AT_ONCE}
        if deaf:
            allowed |= {-signal.SIGTERM, -signal.SIGINT, AT_ONCE}
    if answer.hung:
        return "had to be ended: it hung."
    if answer.status not in allowed:
        return f"ended with status {answer.status}."
    # Python itself prints a traceback if it is interrupted while no one listens.
    if (fault := FAULTS.search(answer.said)) and not (deaf and signal.SIGINT in signals):
        return f"printed '{fault[0]}'."
    return ""


def unsaved(folder: pathlib.Path, answer: Answer) -> str:
    """What is wrong with the claim that everything is saved; empty if it holds."""
    claimed = re.search(r"Stopped by \w+ at step (\d+)/.*everything is saved", answer.said)
    if answer.status != STOPPED:
        return ""
    if claimed is None:
        return "does not tell that it is saved."
    step = claimed[1]
    if step != "0" and not [*folder.rglob(f"checkpoints/{step}")]:
        return f"claims to have saved step {step}, which is not there."
    return ""


def run_trials(client: Client, references: dict[str, Reference], kills: int, seed: int) -> Counts:
    """Trials of each kind in turn, until there were so many kills."""
    counts, number = Counts(), 0
    kinds = [*RUNS]
    while counts.kills.total() < kills:
        kind = kinds[number % len(kinds)]
        if kind in references:
            Trial(client, references[kind], number, seed).run(counts)
            if number % 25 == 24:
                print(
                    f"{counts.kills.total()}/{kills} kills, {counts.trials} runs compared, "
                    f"{len(counts.failures)} failures",
                    flush=True,
                )
        number += 1
    return counts
