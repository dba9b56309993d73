"""What a command leaves in its folder, in a form that is the same for equal runs."""

import hashlib
import json
import logging
import pathlib
import re
import zlib
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from dlcourse.errors import UserError
from dlcourse.training.run.checkpoints import require_whole
from tests.training.runs import events

# Of the summary, what does not depend on time.
COMPUTED = ("experiment", "parameters", "steps", "metrics", "diverged_seeds", "best")


def left(folder: pathlib.Path) -> dict[str, Any]:
    """Everything that a finished command leaves; a part that cannot be read is an error's text.

    For each run: the final state (a digest for each array), the rows of metrics, TensorBoard's
    events, the summary without its times, the config, and whether the checkpoints are whole. For
    the command: the names of all files, and the content of figures and tables.
    """
    parts: dict[str, Any] = {"files": _names(folder)}
    for file in sorted([*folder.rglob("*.png"), *folder.rglob("table.json")]):
        parts[str(file.relative_to(folder))] = zlib.crc32(file.read_bytes())
    for config in sorted(folder.rglob("config.json")):
        run = config.parent
        for part in (_state, _rows, events, _summary, _config, _checkpoints):
            name = f"{run.relative_to(folder)}: {part.__name__.strip('_')}"
            try:
                parts[name] = part(run)
            except (UserError, OSError, ValueError, KeyError, IndexError) as error:
                parts[name] = f"{type(error).__name__}: {error}"
    return parts


def differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """The parts that differ."""
    lines = []
    for name in sorted(expected.keys() | found.keys()):
        before, now = expected.get(name), found.get(name)
        if before != now:
            if isinstance(before, dict) and isinstance(now, dict):
                keys = before.keys() | now.keys()
                names = sorted(str(k) for k in keys if before.get(k) != now.get(k))
                lines.append(f"{name}: {', '.join(names[:5])}"[:300])
            else:
                lines.append(f"{name}: {str(before)[:120]} became {str(now)[:300]}")
    return lines


def final_state(step: pathlib.Path) -> dict[str, str]:
    """The arrays of a checkpoint by path: type, shape and a digest of the bytes."""
    checkpointer = ocp.Checkpointer(ocp.PyTreeCheckpointHandler())
    place = step / "state"
    logging.getLogger("absl").setLevel(logging.ERROR)  # it misses a file of other checkpointers
    tree = checkpointer.metadata(place).item_metadata.tree
    as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
    saved = checkpointer.restore(place, args=ocp.args.PyTreeRestore(restore_args=as_numpy))
    return {
        jax.tree_util.keystr(path): _digest(np.asarray(leaf))
        for path, leaf in jax.tree_util.tree_leaves_with_path(saved)
    }


def _digest(array: np.ndarray) -> str:
    content = hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=8).hexdigest()
    return f"{array.dtype}{list(array.shape)} {content}"


def _names(folder: pathlib.Path) -> list[str]:
    """Files and folders, but for the checkpoints' own; the name of events holds the time."""
    found = []
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if not re.search(r"checkpoints/|(^|/)damaged", name):
            found.append(re.sub(r"(tfevents)\..*", r"\1", name))
    return sorted(found)


def _steps(run: pathlib.Path) -> list[pathlib.Path]:
    return sorted((run / "checkpoints").iterdir(), key=lambda step: (len(step.name), step.name))


def _state(run: pathlib.Path) -> dict[str, str]:
    return final_state(_steps(run)[-1])


def _rows(run: pathlib.Path) -> str:
    return (run / "metrics.jsonl").read_text()


def _summary(run: pathlib.Path) -> dict[str, Any]:
    summary = json.loads((run / "summary.json").read_text())
    return {name: summary[name] for name in COMPUTED}


def _config(run: pathlib.Path) -> dict[str, Any]:
    written = json.loads((run / "config.json").read_text())
    return written["config"] | {"workdir": None, "experiment": written["experiment"]}


def _checkpoints(run: pathlib.Path) -> str:
    """The last step, if all there is are one or two whole checkpoints."""
    steps = _steps(run)
    for step in steps:
        require_whole(step)
    if len(steps) > 2:
        raise ValueError(f"{len(steps)} checkpoints: {', '.join(step.name for step in steps)}")
    return steps[-1].name
