"""Several searches in one command: the body of an experiment file that compares them."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

from dlcourse.errors import UsageError
from dlcourse.training import Config, Experiment
from dlcourse.training.commands.main import Report, save_report, serve
from dlcourse.training.commands.parse import Command
from dlcourse.training.run.ends import Interrupted
from dlcourse.training.run.folder import new_folder
from dlcourse.training.run.interruption import Interruption
from dlcourse.tuning.plan import Search
from dlcourse.tuning.results import Result
from dlcourse.tuning.search import search

C = TypeVar("C", bound=Config)


@dataclasses.dataclass(frozen=True, eq=False)
class Studies(Mapping[str, Result]):
    """The finished searches of a command, by name.

    Attributes:
        config: what the searches share.
        folder: the folder that holds theirs.
        finished: the results.
    """

    config: Any
    folder: pathlib.Path
    finished: Mapping[str, Result]

    def __getitem__(self, name: str) -> Result:
        return self.finished[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.finished)

    def __len__(self) -> int:
        return len(self.finished)


def main(
    experiment: Callable[[C], Experiment],
    config: type[C],
    searches: Callable[[C], Mapping[str, Search]],
    report: Callable[[Studies], Report],
) -> NoReturn:
    """Runs an experiment file that compares searches: parse, search, report, exit.

    Args:
        experiment: from a config to learner and data.
        config: the experiment's frozen dataclass; its fields become the options.
        searches: from the config to the searches, by name. All of them are made.
        report: from their results to a table and figures.

    The exit status is that of `training.main`.
    """

    def train(command: Command, file: pathlib.Path, interruption: Interruption) -> None:
        studies = run_searches(
            experiment,
            searches(command.config),
            command.config,
            name=file.stem,
            file=file,
            interruption=interruption,
        )
        save_report(report, studies)

    serve(experiment, config, train)


def run_searches(
    experiment: Callable[[Any], Experiment],
    searches: Mapping[str, Search],
    config: Config,
    *,
    name: str,
    file: pathlib.Path | None = None,
    interruption: Interruption | None = None,
) -> Studies:
    """Makes one search after another, each in `<workdir>/<name of the search>`.

    Started again with the same folder, finished searches only report, and a stopped one goes on.

    Args:
        experiment: from a config to learner and data.
        searches: by name.
        config: what they share.
        name: the experiment's name.
        file: the experiment file.
        interruption: truthy once the command should stop.

    Raises:
        UsageError: there are no searches.
        Interrupted: a signal came; everything is saved.
    """
    if not searches:
        raise UsageError(f"{name} has nothing to compare: name at least one search.")
    folder = config.workdir or new_folder(name)
    shared = dataclasses.replace(config, workdir=None)
    finished = {}
    for title, asked in searches.items():
        try:
            result = search(
                experiment,
                shared,
                asked,
                name=name,
                folder=folder / title,
                file=file,
                say=lambda line: None,  # one line for each search instead
                interruption=interruption,
            )
        except Interrupted as stop:
            raise Interrupted(
                f"{title}: {stop}".replace(
                    "The same command resumes it",
                    f"The same command with --workdir {folder} resumes it",
                )
            ) from None
        finished[title] = result
        metric = result.metric.partition(" ")[2]
        best = "none is complete" if result.best is None else f"{result.best.value:.4f}"
        print(f"{title}: {len(result.trials)} trials, best validation {metric} {best}", flush=True)
    return Studies(config, folder, finished)
