"""The results of a study: a table, two figures, and the command of the best trial."""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlcourse import figures
from dlcourse.training import Config
from dlcourse.tuning.figures import draw_importances, draw_parallel
from dlcourse.tuning.space import Space, Values, short
from dlcourse.tuning.trial import Trial, ranked

Say = Callable[[Any], None]  # shows a line of text or a table

SHOWN = 10  # rows of the table


@dataclasses.dataclass(frozen=True)
class Result:
    """A study, as far as it has come.

    Attributes:
        config: what its trials share.
        trials: all of them, by number.
        best: the complete trial with the best metric; None if no trial is complete.
        metric: `min METRIC` or `max METRIC`.
        folder: of the study.
    """

    config: Config
    trials: list[Trial]
    best: Trial | None
    metric: str
    folder: pathlib.Path


def show(what: Any) -> None:
    """Shows a line or a table on the screen. A line may be a command and is never broken."""
    from rich.console import Console

    Console(highlight=False).print(what, soft_wrap=isinstance(what, str), markup=False)


def line(group: Sequence[Trial], trials: Sequence[Trial], total: int, metric: str) -> str:
    """A line about a group that has ended."""
    numbers = {trial.number for trial in group}
    ended = [trial for trial in trials if trial.number in numbers]
    direction, _, measured = metric.partition(" ")
    best = ranked(trials, maximize=direction == "max")[:1]
    outcomes = ", ".join(
        f"{trial.number}: " + (short(trial.value) if trial.value is not None else trial.state)
        for trial in ended
    )
    done = sum(trial.state != "running" for trial in trials)
    return f"{done}/{total} · {measured} of trial {outcomes}" + (
        f" · best {short(best[0].value)} ({best[0].number})" if best else ""
    )


def report(
    result: Result,
    space: Space,
    importances: Mapping[str, float],
    description: Mapping[str, Any],
    command: Callable[[Values], str] | None,
    say: Say,
) -> None:
    """Writes `results.json` and the figures, and shows the best trials."""
    best_first = ranked(result.trials, maximize=result.metric.startswith("max"))
    best = best_first[0] if best_first else None
    place = result.folder / "figures"
    if best_first:
        figure = draw_parallel(result.trials, space, result.metric)
        figures.save(figure, place / "parallel_coordinates")
    if importances:
        figure = draw_importances(importances, result.metric, len(best_first))
        figures.save(figure, place / "importance")
    best_command = command(best.values) if command and best else None
    summary = {
        **description,
        "best": best and {**_row(best), "command": best_command},
        "importances": dict(importances),
        "trials": [_row(trial) for trial in result.trials],
    }
    _write(result.folder / "results.json", summary)
    say(_table(result, best_first, space))
    if not importances:
        say("Importances need four complete trials that differ.")
    running = sum(trial.state == "running" for trial in result.trials)
    if running:
        say(f"{running} trials are running in other processes; the last process reports all.")
    say(f"Everything is in {result.folder}")
    if best and best_command:
        say(f"To train the best trial alone, with its test metrics:\n  {best_command}")
        if sum(trial.run == best.run for trial in result.trials) == 1:
            run = result.folder / "trials" / best.run
            say(f"To evaluate it as it was trained:\n  python -m dlcourse.training evaluate {run}")


def _table(result: Result, best_first: Sequence[Trial], space: Space) -> Any:
    from rich.table import Table

    states = [trial.state for trial in result.trials]
    counts = [f"{states.count(s)} {s}" for s in ("complete", "pruned", "diverged") if s in states]
    table = Table(title=f"{result.metric} on validation: {', '.join(counts)}")
    for name in ("trial", *space, result.metric.partition(" ")[2]):
        table.add_column(name, justify="right")
    for trial in best_first[:SHOWN]:
        values = [short(trial.values[name]) for name in space]
        table.add_row(str(trial.number), *values, short(trial.value))
    return table


def _row(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state,
        "value": trial.value,
        "values": trial.values,
        "evaluations": len(trial.reports) or None,
        "run": f"trials/{trial.run}",
    }


def _write(place: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Writes a file as a whole or not at all."""
    unfinished = place.with_suffix(".part")
    unfinished.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    unfinished.replace(place)
