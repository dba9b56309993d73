"""What a search is, and the same fitted to an experiment: checked, with its defaults filled in."""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax

from dlcourse.errors import UsageError, UserError
from dlcourse.learner import require_honoured
from dlcourse.training import Config, Experiment
from dlcourse.training.config import EXECUTION, as_json
from dlcourse.training.limits import LARGEST, check
from dlcourse.training.run.selection import parse_monitor
from dlcourse.tuning import methods, notation
from dlcourse.tuning.side_by_side import metric_names
from dlcourse.tuning.space import Space


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How a space is searched."""

    method: methods.Name = "random"
    """How the next trials are chosen; `tpe` and `gp` learn from the trials before."""
    trials: int = 20
    """The number of trials; a grid takes the most that its levels allow. More trials in the same
    folder extend a search by `random`, `tpe` or `gp`."""
    metric: str | None = None
    """`min METRIC` or `max METRIC` on the validation split; by default what the experiment
    monitors."""
    prune: bool = False
    """Stop trials that fall behind (successive halving). Trials then train one after another."""
    side_by_side: int | None = None
    """The largest number of trials that train in one program; by default 16, and 4 for `tpe` and
    `gp`."""
    seed: int = 0
    """Everything random in the search is derived from it; the trials have a seed of their own."""

    def __post_init__(self) -> None:
        """Refuses impossible settings.

        Raises:
            UsageError: naming the option.
        """
        try:
            check("--trials", self.trials, (1, 10_000))
            check("--side-by-side", self.side_by_side, (1, 10_000))
            check("--seed", self.seed, (0, LARGEST))
        except ValueError as error:
            raise UsageError(f"{error}.") from error
        if self.prune and (self.side_by_side or 1) > 1:
            raise UsageError("Pruning stops single runs: leave out --side-by-side, or --prune.")
        if self.metric is not None:
            _parse_metric(self.metric)


@dataclasses.dataclass(frozen=True)
class Search(Settings):
    """Everything that distinguishes one search of an experiment from another.

    `Search({"dropout": Uniform(0.0, 0.6)}, method="grid", trials=8)`

    Attributes:
        space: the fields of the config that are searched, with their ranges and choices.
    """

    space: Space


@dataclasses.dataclass(frozen=True)
class Plan:
    """A search of one experiment.

    Attributes:
        search: what was asked for.
        example: the experiment of the shared config, without its test split.
        metric: `min METRIC` or `max METRIC`.
        method: proposes the trials.
        description: what is searched, for `search.json`.
    """

    search: Search
    example: Experiment
    metric: str
    method: methods.Method
    description: Mapping[str, Any]

    @property
    def maximize(self) -> bool:
        return _parse_metric(self.metric)[0] == "max"

    @property
    def measured(self) -> str:
        """The name of the metric."""
        return _parse_metric(self.metric)[1]

    @property
    def at_once(self) -> int:
        """The largest number of trials that train in one program."""
        return 1 if self.search.prune else self.search.side_by_side or self.method.at_once

    @property
    def default_folder(self) -> pathlib.Path:
        """`runs/tuning/<experiment>/<method>-<digest>`: the same search finds it again."""
        extends = self.method.extends
        same = {n: v for n, v in self.description.items() if not (extends and n == "trials")}
        digest = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:8]
        base = pathlib.Path("runs") / "tuning" / self.description["experiment"]
        return base / f"{self.search.method}-{digest}"


def make_plan(
    experiment: Callable[[Any], Experiment], config: Config, search: Search, name: str
) -> Plan:
    """Fits a search to an experiment.

    Args:
        experiment: from a config to learner and data.
        config: the fields that all trials share.
        search: what to search.
        name: the experiment's name.

    Raises:
        UserError: the experiment cannot be searched like this.
    """
    if jax.process_count() > 1:
        raise UsageError(
            "A search trains each trial in one process. Start the same command several times "
            "instead: the processes share the study."
        )
    notation.require_valid(search.space, config)
    example = without_test(experiment(config))
    require_honoured(example.learner, config.policy)
    metric = _metric(search, example, config)
    maximize = metric.startswith("max")
    method = methods.make_method(search.method, search.space, search.trials, maximize, search.seed)
    shared = {
        field: value
        for field, value in as_json(config).items()
        if field not in EXECUTION | config.selects | search.space.keys()
    }
    description = {
        "experiment": name,
        "metric": metric,
        "method": search.method,
        "trials": method.trials,
        "seed": search.seed,
        "prune": search.prune,
        "search": {field: str(dimension) for field, dimension in search.space.items()},
        "config": shared,
    }
    return Plan(search, example, metric, method, description)


def without_test(experiment: Experiment) -> Experiment:
    """The experiment of a trial: nothing is drawn, and the test split is not measured."""
    data = experiment.data
    splits = {name: numbers for name, numbers in data.splits.items() if name != "test"}
    if "validation" not in splits:
        raise UserError(
            f"'{data.name}' has no validation split, and a search must not judge by the test split."
        )
    return dataclasses.replace(
        experiment, data=dataclasses.replace(data, splits=splits), figures={}, snapshots={}
    )


def _metric(search: Search, example: Experiment, config: Config) -> str:
    """The metric of a search; by default the one that a run monitors."""
    known = metric_names(example.learner, example.data, config.batch_size)
    monitor = config.monitor or example.monitor
    if search.metric is None and example.learner.parts:
        raise UsageError(
            f"The learner trains {', '.join(example.learner.parts)} side by side. Choose the "
            f"metric of one of them: --metric '{monitor}/{example.learner.parts[0]}'."
        )
    metric = search.metric or monitor
    measured = _parse_metric(metric)[1]
    if measured not in known:
        raise UsageError(f"The experiment does not measure {notation.nearest(measured, known)}")
    return metric


def _parse_metric(metric: str) -> tuple[str, str]:
    try:
        return parse_monitor(metric)
    except UserError:
        raise UsageError(f"The metric is '{metric}'; write 'min loss' or 'max accuracy'.") from None
