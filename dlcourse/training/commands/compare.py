"""Several runs in one command: the rows of a comparison, each an ordinary run."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from dlcourse.errors import UsageError
from dlcourse.training.config import Config
from dlcourse.training.engine import processes
from dlcourse.training.experiment import Experiment
from dlcourse.training.run.ends import Diverged, Interrupted
from dlcourse.training.run.finished import Run
from dlcourse.training.run.folder import new_folder
from dlcourse.training.run.interruption import Interruption
from dlcourse.training.run.start import run


@dataclasses.dataclass(frozen=True, eq=False)
class Runs(Mapping[str, Run]):
    """The finished runs of a command, by the name of the row.

    Attributes:
        config: what the rows share.
        folder: the folder that holds theirs; of a single run, its own.
        finished: the runs that reached their end.
        diverged: the message of each run that diverged, by the name of the row.
    """

    config: Any
    folder: pathlib.Path
    finished: Mapping[str, Run]
    diverged: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __getitem__(self, row: str) -> Run:
        return self.finished[row]

    def __iter__(self) -> Iterator[str]:
        return iter(self.finished)

    def __len__(self) -> int:
        return len(self.finished)

    def final(self, split: str, metric: str) -> dict[str, np.ndarray]:
        """A final metric of each row, `[members]`."""
        return {row: run.values(split, metric) for row, run in self.items()}

    def curves(self, split: str, metric: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """A logged metric of each row: steps, and values `[times, members]`."""
        return {row: run.curve(split, metric) for row, run in self.items()}


def attempt(
    experiment: Callable[[Any], Experiment], config: Config, **options: Any
) -> Run | Diverged:
    """Runs a row of a comparison or a trial of a search.

    Nothing of it stays on a device.

    Args:
        experiment: from the config to learner and data.
        config: of this run.
        **options: as of `run`.

    Returns:
        A `Run`, or the `Diverged` that ended it.
    """
    try:
        return run(experiment, config, **options)
    except Diverged as diverged:
        return diverged


def run_rows(
    experiment: Callable[[Any], Experiment],
    rows: Mapping[str, Config],
    config: Config,
    *,
    name: str,
    file: pathlib.Path | None = None,
    interruption: Interruption | None = None,
) -> Runs:
    """Runs one row after another, each in `<workdir>/<row>`.

    Started again with the same folder, finished rows only report and a stopped row is resumed. A
    row that diverges is recorded, and the others continue.

    Args:
        experiment: from a config to learner and data.
        rows: the configs, by the name of the row.
        config: what the rows share.
        name: the experiment's name.
        file: the experiment file.
        interruption: true once the command should stop.

    Raises:
        UsageError: there are no rows.
        Interrupted: a signal came; everything is saved.
    """
    if not rows:
        raise UsageError(f"{name} has nothing to compare: name at least one row.")
    folder = pathlib.Path(processes.on_first(lambda: str(config.workdir or new_folder(name))))
    finished, diverged = {}, {}
    for row, varied in rows.items():
        inside = dataclasses.replace(varied, workdir=folder / row)
        try:
            outcome = attempt(
                experiment, inside, name=f"{name}/{row}", file=file, interruption=interruption
            )
        except Interrupted as stop:
            # The run names its own folder; the command is resumed in the one that the rows share.
            message = str(stop).replace(str(inside.workdir), str(folder))
            raise Interrupted(f"{row}: {message}") from None
        if isinstance(outcome, Diverged):
            diverged[row] = str(outcome)
        else:
            finished[row] = outcome
    return Runs(config, folder, finished, diverged)


def row_options(config: Config, rows: Mapping[str, Config]) -> frozenset[str]:
    """The experiment's own options by which a row is named.

    They are those in which rows differ from each other or from the config: a comparison may have
    one row only.
    """
    common = {field.name for field in dataclasses.fields(Config)}
    return frozenset(
        field.name
        for field in dataclasses.fields(config)
        if field.name not in common
        and any(getattr(row, field.name) != getattr(config, field.name) for row in rows.values())
    )
