"""Reading what a run folder holds; anybody may have edited it."""

import json
import pathlib
from typing import Any

from dlcourse.errors import UserError

Row = dict[str, Any]


def read_config(path: pathlib.Path) -> dict:
    """`config.json` of a run folder.

    Raises:
        UserError: there is none, or it is damaged.
    """
    place = path / "config.json"
    if not place.exists():
        raise UserError(f"{path} is not a run folder: it has no config.json.")
    written = read_object(place)
    if not isinstance(written.get("config"), dict) or not isinstance(
        written.get("experiment"), str
    ):
        raise _damaged(place)
    return written


def read_object(place: pathlib.Path) -> dict[str, Any]:
    """A JSON object that was written to a file.

    Raises:
        UserError: the file holds none.
    """
    found = _parsed(place.read_text(errors="replace"))
    if not found:
        raise _damaged(place)
    return found


def _damaged(place: pathlib.Path) -> UserError:
    return UserError(f"{place} is damaged. Put it back from a copy, or choose another folder.")


def _parsed(text: str) -> dict[str, Any]:
    """A JSON object; {} if the text is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def read_rows(place: pathlib.Path, step: int) -> list[Row]:
    """The rows of `metrics.jsonl` up to a step, without those of the test split.

    A killed process may leave half a line, always after the last checkpoint.

    Raises:
        UserError: a line before one of these rows is damaged.
    """
    rows, damaged = [], 0
    for number, line in enumerate(place.read_text(errors="replace").splitlines(), 1):
        row = _parsed(line)
        if "step" not in row or "split" not in row:
            damaged = number
        elif row["step"] <= step and row["split"] != "test":
            if damaged:
                raise UserError(
                    f"Line {damaged} of {place} is damaged. Take it out, or choose another run "
                    "folder."
                )
            rows.append(row)
    return rows
