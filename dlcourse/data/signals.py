"""Signals during long work on the host: it ends soon, cleans up, and passes the signal on."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from dlcourse.errors import Stopped


class Halted(Exception):
    """Raised by work that found its event set; `until_signal` takes it up."""


@contextlib.contextmanager
def until_signal(doing: str) -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the handlers before get the signal in the end.

    Args:
        doing: for the message, for example "the set was decoded".

    Raises:
        Stopped: a signal came and its handler went on, as that of a training run does, which only
            takes notice.
    """
    halted = threading.Event()
    received: list[int] = []

    def request(number: int, frame: Any) -> None:
        received.append(number)
        halted.set()

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # others get no signals
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        # What is ignored stays ignored; None is a handler in C, which Python could not restore.
        before = {n: h for n, h in handlers.items() if h not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, request)
        with contextlib.suppress(Halted):
            yield halted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        signal.raise_signal(received[0])
        which = signal.Signals(received[0]).name
        raise Stopped(f"Stopped by {which} while {doing}. Start the same command again.")
