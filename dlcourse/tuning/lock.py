"""Locks between processes, which the kernel releases when their holder ends."""

import fcntl
import os
import pathlib
from types import TracebackType


class FileLock:
    """An exclusive lock on a file. The kernel releases it when its holder dies."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(self, *, wait: bool = True) -> bool:
        """Acquires the lock. Without `wait`, returns False if another process holds it."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> "FileLock":
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class JournalLock(FileLock):
    """The lock for appending to a journal.

    A killed process or a full disk may leave an incomplete last line. No reader has used that line,
    and `acquire` removes it before another is appended.
    """

    def __init__(self, journal: pathlib.Path) -> None:
        super().__init__(journal.with_suffix(".lock"))
        self.journal = journal

    def acquire(self, *, wait: bool = True) -> bool:
        taken = super().acquire(wait=wait)
        if taken and self.journal.exists():
            content = self.journal.read_bytes() if self._torn() else b""
            if content:
                os.truncate(self.journal, content.rfind(b"\n") + 1)
        return taken

    def _torn(self) -> bool:
        with self.journal.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            return size > 0 and file.read() != b"\n"
