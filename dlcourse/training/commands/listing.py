"""The runs in a folder at a glance."""

import datetime
import pathlib
from typing import Any

import numpy as np

from dlcourse.errors import UsageError, UserError
from dlcourse.training.run.folder import members
from dlcourse.training.run.written import read_config, read_object


def list_runs(place: pathlib.Path) -> None:
    """Prints a table of the runs below a folder, the newest last.

    Raises:
        UsageError: there is no such folder, or no run in it.
    """
    import rich
    from rich.table import Table

    if not place.is_dir():
        raise UsageError(f"There is no folder {place}.")
    found = sorted(place.rglob("config.json"), key=lambda file: file.stat().st_mtime)
    table = Table("run", "begun", "state", "steps", "test")
    for file in found:
        try:
            table.add_row(str(file.parent.relative_to(place)), *_described(file))
        except UserError:
            table.add_row(str(file.parent.relative_to(place)), "", "damaged")
    if not found:
        raise UsageError(f"There is no run in {place}.")
    rich.print(table)


def _described(file: pathlib.Path) -> tuple[str, str, str, str]:
    folder = file.parent
    read_config(folder)
    begun = datetime.datetime.fromtimestamp(file.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
    summary: dict[str, Any] = {}
    if (folder / "summary.json").exists():
        summary = read_object(folder / "summary.json")
    elif (folder / "diverged.json").exists():
        return begun, "diverged", "", ""
    saved = [int(each.name) for each in folder.glob("checkpoints/*") if each.name.isdigit()]
    if not summary:
        return begun, "unfinished", str(max(saved, default=0)), ""
    metrics = summary.get("metrics", {}).get("test", {})
    test = ", ".join(f"{name} {_mean(value)}" for name, value in list(metrics.items())[:3])
    return begun, "finished", str(summary.get("steps", "")), test


def _mean(value: Any) -> str:
    finite = members(value)
    finite = finite[np.isfinite(finite)]
    return f"{finite.mean():.4g}" if finite.size else "-"
