"""Reading examples that may be damaged."""

import sys

import numpy as np

from dlcourse.data import Dataset
from dlcourse.errors import Unreadable, UserError, reason


class Reader:
    """Reads examples that may be damaged: names them, or puts others in their place.

    Attributes:
        skipped: the numbers of the examples that could not be read.
    """

    def __init__(self, data: Dataset, skip: bool) -> None:
        self.data, self.skip = data, skip
        self.skipped: set[int] = set()

    def read(self, indices: np.ndarray, split: str) -> dict[str, np.ndarray]:
        """The examples of these numbers, and which of them are `readable` (1 or 0).

        The next readable example of the split stands in for a damaged one, so the batch is the
        same on every process.

        Raises:
            UserError: an example cannot be read, and none may be skipped.
        """
        try:
            return self.data.read(indices) | {"readable": np.ones(indices.shape, np.float32)}
        except Unreadable:
            found = [self._next_readable(int(index), split) for index in indices.flat]
        batch = self.data.read(np.reshape(found, indices.shape))
        return batch | {"readable": (batch["index"] == indices).astype(np.float32)}

    def _next_readable(self, index: int, split: str) -> int:
        members = self.data.splits[split]
        begin = int(np.flatnonzero(members == index)[0])
        for candidate in np.roll(members, -begin):
            try:
                self.data.read(np.array([candidate]))
            except Unreadable as error:
                self._report(int(candidate), error)
            else:
                return int(candidate)
        raise UserError(f"No example of the {split} split of '{self.data.name}' can be read.")

    def _report(self, index: int, error: Unreadable) -> None:
        if not self.skip:
            raise error
        if index not in self.skipped:
            self.skipped.add(index)
            print(f"{reason(error)} ({len(self.skipped)} skipped so far)", file=sys.stderr)
