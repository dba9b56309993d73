"""Which weights were best on the validation split, and when to stop looking for better ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse.errors import UserError


class Selection:
    """Early stopping, for each member of a population by itself.

    It is a function of the validation rows alone, so a resumed run finds it again by judging the
    rows that were logged.
    """

    def __init__(self, monitor: str, patience: int | None, members: tuple[int, ...]) -> None:
        """Takes `min METRIC` or `max METRIC`; no patience never stops."""
        direction, _, self.metric = monitor.partition(" ")
        if direction not in ("min", "max") or not self.metric:
            raise ValueError(f"monitor is '{monitor}'; write 'min loss' or 'max accuracy'")
        self.sign = 1.0 if direction == "min" else -1.0
        self.patience = patience
        self.value = np.full(members, np.inf)
        self.step = np.zeros(members, np.int64)
        self.waited = np.zeros(members, np.int64)

    def judge(self, row: Mapping[str, Any]) -> np.ndarray:
        """Takes in a validation row; tells which members are better than ever before."""
        if self.metric not in row:
            raise UserError(
                f"The validation metrics have no '{self.metric}' to monitor; they have "
                f"{', '.join(name for name in row if name not in ('step', 'split'))}."
            )
        value = row[self.metric]
        value = value["values"] if isinstance(value, Mapping) else value
        value = self.sign * np.array(value, np.float64)  # JSON's null becomes nan
        # A member that has stopped stays as it was, however good it would have become.
        improved = np.asarray((value < self.value) & ~self._finished())
        self.value = np.where(improved, value, self.value)
        self.step = np.where(improved, row["step"], self.step)
        self.waited = np.where(improved, 0, self.waited + 1)
        return improved

    def _finished(self) -> np.ndarray:
        limit = np.inf if self.patience is None else self.patience
        return np.asarray(self.waited >= limit)

    @property
    def stopped(self) -> bool:
        """Whether every member has waited `patience` evaluations in vain."""
        return bool(self._finished().all())

    def best_row(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """The validation row of the best step; None for a population, whose members differ."""
        if self.step.ndim:
            return None
        found = [r for r in rows if r["split"] == "validation" and r["step"] == self.step]
        return found[0] if found else None

    def summary(self) -> dict[str, Any]:
        """The best step and its value, for `summary.json`."""
        value = np.where(np.isfinite(self.value), self.sign * self.value, np.nan)
        plain = [[None if np.isnan(v) else float(v) for v in value.reshape(-1)]]
        if self.step.ndim == 0:
            return {"step": int(self.step), self.metric: plain[0][0]}
        return {"step": self.step.reshape(-1).tolist(), self.metric: plain[0]}
