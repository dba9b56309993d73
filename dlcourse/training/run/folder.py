"""The run folder: config, metrics, summary, checkpoints and figures."""

import contextlib
import datetime
import fcntl
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import sys
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from dlcourse.errors import UsageError
from dlcourse.training.config import Config, as_json
from dlcourse.training.run.same import extended, is_of, require_same
from dlcourse.training.run.written import Row, read_config, read_rows

LIBRARIES = ("dlcourse", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


class RunFolder:
    """The files of one run, written while it trains.

    With several processes only the first opens the folder and writes. The others hold the same
    rows and read earlier files, so the folder must be visible to all.

    Attributes:
        path: the folder.
        rows: the rows of `metrics.jsonl`.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        self._metrics: Any = None
        self._locked: Any = None
        self._events: Any = None  # TensorBoard's writer, and how many rows it has
        self._in_events = 0

    @property
    def checkpoints(self) -> pathlib.Path:
        return self.path / "checkpoints"

    @property
    def figures(self) -> pathlib.Path:
        return self.path / "figures"

    def open(self, config: Config, experiment: str, file: pathlib.Path, total: int) -> int | None:
        """Makes the folder and writes `config.json`, or finds the same run in it.

        Args:
            config: of the run.
            experiment: its name; after a slash, the name of a row of a comparison.
            file: the experiment file.
            total: the length of the run in steps.

        Returns:
            The steps of the finished run that this one extends; None if it extends none.

        Raises:
            UsageError: the folder cannot be written, or holds a run of another config.
        """
        place, before = self.path / "config.json", None
        if set("[]*?") & set(str(self.path.resolve())):
            raise UsageError(
                f"The run folder {self.path.resolve()} has one of [ ] * ? in its path. Orbax would "
                "read it as a pattern and lose the checkpoints. Choose another with --workdir."
            )
        try:
            self.figures.mkdir(parents=True, exist_ok=True)
            self._lock()
            if place.exists() and self._holds_a_run(experiment):
                before = self._extend(config, experiment, total)
                self.require(config, experiment)
            else:
                _write(place, _description(config, experiment, file))
            self._metrics = (self.path / "metrics.jsonl").open("a")
            return before
        except OSError as error:
            raise UsageError(
                f"The run folder {self.path} cannot be written ({error.strerror}). "
                "Choose another with --workdir."
            ) from error

    def keep(self, copies: Mapping[str, str]) -> None:
        """Writes texts by file name, unless the run has them from an earlier start."""
        for name, text in copies.items():
            if not (self.path / name).exists():
                _replace(self.path / name, text)

    def require(self, config: Config, experiment: str) -> None:
        """Raises `UserError` unless this is the folder of such a run."""
        require_same(read_config(self.path), config, experiment, self.path)

    def _holds_a_run(self, experiment: str) -> bool:
        """Whether there is more than the config of a run of this experiment that never started."""
        if not is_of(read_config(self.path), experiment):
            return True
        rows = self.path / "metrics.jsonl"
        return any(self.checkpoints.glob("*")) or (rows.exists() and rows.stat().st_size > 0)

    def _extend(self, config: Config, experiment: str, total: int) -> int | None:
        """Makes a finished run a longer one, if `config` asks for it; the steps that it has."""
        summary = self.path / "summary.json"
        if not summary.exists():
            return None
        longer = extended(self.path, config, experiment, total)
        if longer is None:
            return None
        _write(self.path / "config.json", longer)
        summary.unlink()  # the run is not finished any more
        return int(longer["extended"][-1]["trained"])

    def _lock(self) -> None:
        """Locks the folder for as long as this process lives and the folder is open."""
        self._locked = (self.path / "lock").open("a+")
        try:
            # The kernel releases it when the process ends, however it ends.
            fcntl.flock(self._locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._locked.seek(0)
            holder = self._locked.read().strip()
            raise UsageError(
                f"The run folder {self.path} is in use by {holder or 'another process'}. "
                "Wait for it to end, or choose another --workdir."
            ) from None
        self._locked.truncate(0)
        self._locked.write(f"process {os.getpid()} on {platform.node()}\n")
        self._locked.flush()

    def rewind(self, step: int) -> None:
        """Drops the rows after `step`, from which a run is resumed.

        Test rows are dropped too: they are written at the end of a run.
        """
        place = self.path / "metrics.jsonl"
        self.rows = read_rows(place, step)
        if self._metrics is None:
            return
        self._metrics.close()
        _replace(place, "".join(_line(row) for row in self.rows))
        self._metrics = place.open("a")
        for events in self.path.glob("events.out.tfevents.*"):
            events.unlink()

    def log(self, step: int, split: str, metrics: Mapping[str, Any]) -> Row:
        """Appends a row to `metrics.jsonl`; arrays of members become mean, std and values."""
        row = {"step": step, "split": split} | {n: summarize(v) for n, v in metrics.items()}
        self.rows.append(row)
        if self._metrics is not None:
            self._metrics.write(_line(row))
        return row

    def flush(self) -> None:
        """Writes the logged rows to disk, before a checkpoint that relies on them."""
        if self._metrics is not None:
            self._metrics.flush()
            os.fsync(self._metrics.fileno())

    def write_events(self) -> None:
        """Writes the rows logged since the last call to TensorBoard."""
        if self._metrics is None:
            return
        if self._events is None:
            try:
                from tensorboardX import SummaryWriter
            except ImportError:  # a bare machine; `metrics.jsonl` has the same
                return
            self._events = SummaryWriter(str(self.path))
        for row in self.rows[self._in_events :]:
            for name, value in row.items():
                scalar = value["mean"] if isinstance(value, dict) else value
                if name not in ("step", "split") and scalar is not None:
                    self._events.add_scalar(f"{row['split']}/{name}", scalar, row["step"])
        self._in_events = len(self.rows)
        self._events.flush()

    def write_summary(self, summary: dict) -> None:
        if self._metrics is not None:
            _write(self.path / "summary.json", summary)
            # An earlier attempt may have left it.
            (self.path / "diverged.json").unlink(missing_ok=True)

    def write_divergence(self, step: int, examples: list, checkpoint: int | None) -> None:
        """Records the step that failed and its examples, for a replay."""
        if self._metrics is not None:
            content = {"step": step, "checkpoint": checkpoint, "examples": examples}
            _write(self.path / "diverged.json", content)

    def close(self) -> None:
        for file in (self._metrics, self._events, self._locked):
            if file is not None:
                file.close()


def new_folder(experiment: str) -> pathlib.Path:
    """`runs/<experiment>/<date>-<time>`, with a number if that one is taken."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    base = pathlib.Path("runs") / experiment
    candidates = [base / stamp, *(base / f"{stamp}-{number}" for number in range(2, 100))]
    return next(path for path in candidates if not path.exists())


def summarize(value: Any) -> Any:
    """A number as JSON can hold it; an array of members as mean, std and values."""
    value = np.asarray(value, np.float64)
    if value.ndim == 0:
        return _finite_or_none(float(value))
    finite = value[np.isfinite(value)]
    spread = finite.std(ddof=1) if finite.size > 1 and np.ptp(finite) > 0 else 0.0
    return {
        "mean": float(finite.mean()) if finite.size else None,
        "std": float(spread) if finite.size > 1 else None,
        "values": _finite_or_none(value.tolist()),
    }


def members(logged: Any) -> np.ndarray:
    """The values behind what `summarize` made, float64; JSON's null is nan."""
    return np.array(logged["values"] if isinstance(logged, Mapping) else logged, np.float64)


def _finite_or_none(value: Any) -> Any:
    """JSON has no nan and no infinity."""
    if isinstance(value, list):
        return [_finite_or_none(part) for part in value]
    return value if math.isfinite(value) else None


def _line(row: Row) -> str:
    return json.dumps(row, allow_nan=False) + "\n"


def _write(place: pathlib.Path, content: dict) -> None:
    _replace(place, json.dumps(content, indent=2, allow_nan=False) + "\n")


def _replace(place: pathlib.Path, text: str) -> None:
    """Writes a file as a whole or not at all."""
    unfinished = place.with_name(place.name + ".part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(place)


def _description(config: Config, experiment: str, file: pathlib.Path) -> dict:
    devices = jax.devices()
    return {
        "experiment": experiment,
        "config": as_json(config),
        "command": sys.argv,
        "file": str(file.resolve()),
        "python": sys.version.split()[0],
        "versions": versions(),
        "devices": {
            "kind": devices[0].device_kind,
            "count": len(devices),
            "processes": jax.process_count(),
            "cpus": os.cpu_count(),
        },
    }


def versions() -> dict[str, str]:
    """The versions of the libraries that are here."""
    found = {}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
