"""What a run is doing: marks in memory that it shares with the process that kills it."""

import contextlib
import functools
import mmap
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

# From the fork to listening to signals; then activities of the run; then after listening.
PHASES = (
    "parsing", "starting", "compiling", "restoring", "input", "steps", "logging", "evaluation",
    "saving", "drawing", "writing", "between", "leaving",
)  # fmt: skip
DEAF = ("parsing", "leaving")  # phases in which signals have their usual effect
MARK = struct.Struct("<Bd")
ROOM = 1 << 14


class Phases:
    """A list of phases and the moments at which they began, by the monotonic clock."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 4 + ROOM * MARK.size)

    def clear(self) -> None:
        self._memory[:4] = bytes(4)

    def mark(self, phase: str) -> None:
        """The run enters a phase."""
        count = int.from_bytes(self._memory[:4], "little")
        if count < ROOM:
            begin = 4 + count * MARK.size
            mark = MARK.pack(PHASES.index(phase), time.monotonic())
            self._memory[begin : begin + MARK.size] = mark
            self._memory[:4] = (count + 1).to_bytes(4, "little")

    def read(self) -> list[tuple[str, float]]:
        count = int.from_bytes(self._memory[:4], "little")
        marks = MARK.iter_unpack(self._memory[4 : 4 + count * MARK.size])
        return [(PHASES[number], moment) for number, moment in marks]

    def watch(self) -> None:
        """Marks the phases of a command in this process, from here on."""
        from dlcourse.training.clock import Clock
        from dlcourse.training.commands import process
        from dlcourse.training.run.checkpoints import Checkpoints
        from dlcourse.training.run.folder import RunFolder

        def of_clock(enter: Callable[..., Any]) -> Callable[..., Any]:
            @contextlib.contextmanager
            def entered(clock: Clock, activity: str) -> Iterator[None]:
                outer = clock._running[-1] if clock._running else "between"
                with enter(clock, activity), self._during(activity, outer):
                    yield

            return entered

        def of_listening(listen: Callable[..., Any]) -> Callable[..., Any]:
            @contextlib.contextmanager
            def listening() -> Iterator[Any]:
                with listen() as interruption:
                    self.mark("starting")
                    try:
                        yield interruption
                    finally:
                        self.mark("leaving")

            return listening

        def of_call(phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(call)
            def called(*args: Any) -> Any:
                with self._during(phase, "between"):
                    return call(*args)

            return called

        self.mark("parsing")
        modified: Any = Clock
        modified.__call__ = of_clock(Clock.__call__)
        modified = process
        modified.listen = of_listening(process.listen)
        modified = Checkpoints
        modified.restore = of_call("restoring", Checkpoints.restore)
        modified = RunFolder
        modified.write_summary = of_call("writing", RunFolder.write_summary)

    @contextlib.contextmanager
    def _during(self, phase: str, after: str) -> Iterator[None]:
        self.mark(phase)
        try:
            yield
        finally:
            self.mark(after)
