"""Signals that stop a run: it saves, prints how to resume, and exits with status 75."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Interruption:
    """Whether a signal has asked to stop; truthy once it has."""

    def __init__(self) -> None:
        self.signal: str | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextlib.contextmanager
def listen() -> Iterator[Interruption]:
    """Turns SIGTERM and Ctrl-C into a request that the loop reads between two chunks.

    A second Ctrl-C ends the process at once; the last checkpoint is kept.
    """
    interruption = Interruption()

    def request(number: int, frame: FrameType | None) -> None:
        if interruption and number == signal.SIGINT:
            raise KeyboardInterrupt
        interruption.signal = signal.Signals(number).name

    before = {number: signal.signal(number, request) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
