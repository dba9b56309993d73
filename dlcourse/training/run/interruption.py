"""Signals that stop a run: it saves, prints how to resume, and exits with status 75."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

from dlcourse.errors import STOPPED

DEAF_SECONDS = 20  # how long a signal waits for a call into XLA before the process ends


class Interruption:
    """Whether a signal has asked to stop; truthy once it has."""

    def __init__(self) -> None:
        self.signal: str | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextlib.contextmanager
def listen() -> Iterator[Interruption]:
    """Turns SIGTERM and Ctrl-C into a request that the loop reads between two chunks.

    A second Ctrl-C ends the process at once; the last checkpoint is kept. Python hears no signal
    inside a long call, such as compiling a large program. There the process ends after
    `DEAF_SECONDS` with status 75, as a run that was killed would: it resumes from the last
    checkpoint.
    """
    interruption = Interruption()

    def request(number: int, frame: FrameType | None) -> None:
        if interruption and number == signal.SIGINT:
            raise KeyboardInterrupt
        interruption.signal = signal.Signals(number).name

    before = {number: signal.signal(number, request) for number in (signal.SIGTERM, signal.SIGINT)}
    came, sent = os.pipe()
    os.set_blocking(sent, False)
    others = signal.set_wakeup_fd(sent, warn_on_full_buffer=False)
    # A forked process shares the pipe, and its signals are its own.
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
    watch = threading.Thread(target=_watch, args=(came, interruption), daemon=True)
    watch.start()
    try:
        yield interruption
    finally:
        signal.set_wakeup_fd(others)
        os.close(sent)  # ends the thread
        watch.join()
        os.close(came)
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(came: int, interruption: Interruption) -> None:
    """Ends the process if the handler of a signal does not run: the kernel writes to `came`."""
    while os.read(came, 1):
        limit = time.monotonic() + DEAF_SECONDS
        while not interruption and time.monotonic() < limit:
            time.sleep(0.05)
        if not interruption:
            message = f"Stopped in a call that took more than {DEAF_SECONDS} s, such as compiling. "
            print(f"{message}The last checkpoint is kept.", file=sys.stderr, flush=True)
            os._exit(STOPPED)
