"""Whether a run folder holds the run that is asked for, a shorter one, or another."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from dlcourse.errors import UsageError
from dlcourse.training.config import EXECUTION, Config, as_json
from dlcourse.training.run.written import read_config, read_object

LENGTH = frozenset({"epochs", "steps"})  # the fields that may change once a run is finished


def require_same(found: dict, config: Config, experiment: str, path: pathlib.Path) -> None:
    """Checks that a folder holds this run.

    Args:
        found: the content of its `config.json`.
        config: of this run.
        experiment: its name.
        path: the folder.

    Raises:
        UsageError: another config began it; the message names the fields that differ.
    """
    if not is_of(found, experiment):
        raise UsageError(
            f"{path} holds a run of '{found['experiment']}', not of '{experiment}'. "
            "Choose another --workdir."
        )
    before, now = found["config"], as_json(config)
    differing = sorted(_differing(before, config))
    if differing:
        changes = (f"{name} was {before.get(name)} and is {now.get(name)}" for name in differing)
        longer = " Its length can be changed once it is finished." if LENGTH & {*differing} else ""
        raise UsageError(
            f"{path} holds a run of another config: {'; '.join(changes)}.\n"
            f"Give the values it began with, or choose another --workdir.{longer}"
        )


def extended(
    path: pathlib.Path, config: Config, experiment: str, total: int
) -> dict[str, Any] | None:
    """What `config.json` of a finished run becomes when the run is made longer.

    Args:
        path: the run folder.
        config: of the longer run.
        experiment: its name.
        total: its length in steps.

    Returns:
        The content; its last entry of `extended` holds the length so far. None where the run is the
        same, or differs in more than the length.

    Raises:
        UsageError: the run has trained as many steps as are asked for, or more.
    """
    written = read_config(path)
    changed = _differing(written["config"], config)
    if not changed or not changed <= LENGTH or not is_of(written, experiment):
        return None
    trained = int(read_object(path / "summary.json").get("steps", 0))
    if total <= trained:
        raise UsageError(
            f"The run in {path} has trained {trained} steps, and {total} are asked for. "
            "Ask for more, or choose another --workdir."
        )
    before = {name: written["config"].get(name) for name in sorted(LENGTH)}
    now = {name: getattr(config, name) for name in sorted(LENGTH)}
    history = [*written.get("extended", []), {"trained": trained, **before}]
    return written | {"config": written["config"] | now, "extended": history}


def _differing(before: Mapping[str, Any], config: Config) -> set[str]:
    """The fields of a config that differ from those of `config.json`, and should not."""
    now = json.loads(json.dumps(as_json(config)))
    names = (before.keys() | now.keys()) - EXECUTION - config.selects
    return {name for name in names if before.get(name) != now.get(name)}


def is_of(found: Mapping[str, Any], experiment: str) -> bool:
    """A row of a comparison is the same run when it is started alone."""
    return found["experiment"].partition("/")[0] == experiment.partition("/")[0]
