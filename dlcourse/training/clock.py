"""Where the time of a run goes."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator


class Clock:
    """Seconds by activity. An activity inside another one stops the outer one's count.

    Attributes:
        seconds: by activity: compiling, input, steps, logging, evaluation, saving, drawing.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = time.perf_counter()

    @contextlib.contextmanager
    def __call__(self, activity: str) -> Iterator[None]:
        self._count()
        self._running.append(activity)
        try:
            yield
        finally:
            self._count()
            self._running.pop()

    def _count(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now
