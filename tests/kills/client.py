"""The other end of `tests.kills.server`."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from types import TracebackType
from typing import Any

from tests import ROOT
from tests.kills.plan import DEVICES, RUNS
from tests.kills.server import Request


@dataclasses.dataclass(frozen=True)
class Answer:
    """How a started command ended.

    Attributes:
        status: its exit status; negative, the signal that ended it.
        during: the phase at each signal that was sent before it ended.
        hung: whether it had to be ended.
        seconds: its life.
        phases: with the seconds at which they began.
        said: its output.
    """

    status: int
    during: list[str]
    hung: bool
    seconds: float
    phases: list[tuple[str, float]]
    said: str


class Client:
    """Starts commands, one at a time, in processes that import nothing.

    All share one cache of compiled programs.
    """

    def __init__(self, folder: pathlib.Path, cache: pathlib.Path | None = None) -> None:
        """Keeps run folders in `folder`, and the cache too if it has none of its own."""
        self.folder = folder.resolve()
        self.cache = (cache or folder / "cache").resolve()
        # Programs that run for milliseconds need not be optimized.
        environment = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"} | os.environ
        environment |= {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.kills.server"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
        )  # fmt: skip
        self._read()

    def start(
        self,
        kind: str,
        place: pathlib.Path,
        signals: list[int] | None = None,
        moments: list[float] | None = None,
        cache: pathlib.Path | None = None,
    ) -> Answer:
        """Starts a run of a kind in a folder, sends the signals, and waits for its end.

        Args:
            kind: of `plan.RUNS`.
            place: the run folder.
            signals, moments: what is sent to it, and when, in seconds since the start.
            cache: of compiled programs, if not the one that all share.
        """
        log = place.with_suffix(".log")
        log.unlink(missing_ok=True)
        request = Request(
            [*RUNS[kind], "--workdir", str(place)], str(log), signals or [], moments or [],
            str(cache or self.cache), DEVICES.get(kind, 1),
        )  # fmt: skip
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(dataclasses.asdict(request)) + "\n")
        self._server.stdin.flush()
        answer: dict[str, Any] = json.loads(self._read())
        return Answer(**answer, said=log.read_text(errors="replace") if log.exists() else "")

    def _read(self) -> str:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        if not line:
            raise RuntimeError(f"The server of runs ended with status {self._server.wait()}.")
        return line

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the server's input, which ends it."""
        for stream in (self._server.stdin, self._server.stdout):
            if stream is not None:
                stream.close()
        self._server.wait()
