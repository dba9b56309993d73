"""When something is due in a run: every so many steps, computed and never listed."""

import dataclasses
import math
import re

_LONGEST = 1e9  # of any unit; longer ones overflow
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(steps?|epochs?|%)")


def is_duration(text: str) -> bool:
    """Whether a text is a duration above 0 with its unit: `100 steps`, `2 epochs`, `5%`."""
    match = _DURATION.fullmatch(text)
    return match is not None and 0 < float(match[1]) <= _LONGEST


@dataclasses.dataclass(frozen=True)
class Cadence:
    """The steps `round(k every)` for k = 1, 2, ... up to `total`, and `total` itself.

    Epochs that are not a whole number of steps are rounded one by one, so they do not drift.
    """

    every: float
    total: int

    @classmethod
    def of(cls, duration: str, total: int, steps_per_epoch: float) -> "Cadence":
        """The cadence of a duration, in a run of `total` steps."""
        match = _DURATION.fullmatch(duration)
        assert match is not None  # the config has checked it
        amount, unit = match.groups()
        per_unit = {"s": 1.0, "e": steps_per_epoch, "%": total / 100}[unit[0]]
        return cls(max(1.0, float(amount) * per_unit), total)

    def next(self, step: int) -> int:
        """The first due step after `step`, which is before the end."""
        k = max(1, int(step / self.every))
        while round(k * self.every) <= step:
            k += 1
        return min(round(k * self.every), self.total)

    def is_due(self, step: int) -> bool:
        """Whether `step` is one of them; steps count from 1."""
        return step > 0 and self.next(step - 1) == step

    def count(self) -> int:
        """How many there are in the whole run."""
        whole = math.floor(self.total / self.every)
        return whole + (round(whole * self.every) < self.total)
