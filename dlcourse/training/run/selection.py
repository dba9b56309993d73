"""Which weights were best on the validation split, and when to stop looking for better ones."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse.errors import UsageError
from dlcourse.training.run.folder import members


def parse_monitor(monitor: str) -> tuple[str, str]:
    """Direction and metric of `min METRIC` or `max METRIC`."""
    direction, _, metric = monitor.partition(" ")
    if direction not in ("min", "max") or not metric:
        raise UsageError(f"monitor is '{monitor}'; write 'min loss' or 'max accuracy'.")
    return direction, metric


class Selection:
    """Early stopping, for each member of a population and each part of a learner by itself.

    It is a function of the validation rows alone, so a resumed run finds it again by judging the
    rows that were logged.

    Attributes:
        metrics: the monitored metric, by part; without parts under the name "".
    """

    def __init__(
        self,
        monitor: str,
        patience: int | None,
        members: tuple[int, ...],
        parts: Sequence[str] = (),
    ) -> None:
        """Takes `min METRIC` or `max METRIC`; None for `patience` never stops.

        With parts, METRIC is that of each part: `accuracy` stands for `accuracy/PART`.
        """
        direction, metric = parse_monitor(monitor)
        self.sign = 1.0 if direction == "min" else -1.0
        self.patience, self.monitored = patience, metric
        self.metrics = {part: f"{metric}/{part}" for part in parts} or {"": metric}
        shape = (len(self.metrics), *members)
        self.value = np.full(shape, np.inf)
        self.step = np.zeros(shape, np.int64)
        self.waited = np.zeros(shape, np.int64)

    def require_known(self, names: Iterable[str]) -> None:
        """Refuses a monitored metric that evaluation does not measure.

        Raises:
            UsageError: naming the metrics that there are.
        """
        names = list(names)
        if any(metric not in names for metric in self.metrics.values()):
            if "" not in self.metrics:
                names = list(dict.fromkeys(name.partition("/")[0] for name in names))
            raise UsageError(
                f"The validation metrics have no '{self.monitored}' to monitor; they have "
                f"{', '.join(names)}."
            )

    def judge(self, row: Mapping[str, Any]) -> Any:
        """Reads a validation row; tells which members are better than ever before.

        Returns:
            bool `[*members]`; of a learner with parts, a dict of those.
        """
        values = [members(row[metric]) for metric in self.metrics.values()]
        value = self.sign * np.stack(values).reshape(self.value.shape)
        # A member that has stopped stays as it was, however good it would have become.
        improved = np.asarray((value < self.value) & ~self._finished())
        self.value = np.where(improved, value, self.value)
        self.step = np.where(improved, row["step"], self.step)
        self.waited = np.where(improved, 0, self.waited + 1)
        by_part = dict(zip(self.metrics, improved, strict=True))
        return by_part.get("", by_part)

    def _finished(self) -> np.ndarray:
        limit = np.inf if self.patience is None else self.patience
        return np.asarray(self.waited >= limit)

    @property
    def stopped(self) -> bool:
        """No member has improved for `patience` evaluations."""
        return bool(self._finished().all())

    def best_row(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """The validation row of the best step; None where members or parts differ in it."""
        if self.step.size > 1:
            return None
        found = [r for r in rows if r["split"] == "validation" and r["step"] == self.step]
        return found[0] if found else None

    def summary(self) -> dict[str, Any]:
        """The best step and its value, for `summary.json`; lists over members, dicts over parts."""
        found = np.where(np.isfinite(self.value), self.sign * self.value, np.nan)
        best = {
            part: {"step": _plain(step), self.monitored: _plain(value)}
            for part, step, value in zip(self.metrics, self.step, found, strict=True)
        }
        return best.get("", best)


def _plain(values: np.ndarray | np.generic) -> Any:
    """As JSON can hold it: nan is None."""
    if values.ndim:
        return [_plain(value) for value in values.reshape(-1)]
    return None if np.isnan(values) else values.item()
