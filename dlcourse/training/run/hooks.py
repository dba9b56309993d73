"""Functions called on the events of a run."""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]


class Hooks:
    """Called on the events of a run. The methods do nothing; a subclass overrides some.

    With several processes each has its own hooks, and all must return the same.
    """

    def logged(self, row: Row) -> None:
        """A row of metrics was logged; `row["split"]` names the split."""

    def evaluated(self, number: int, row: Row) -> bool:
        """The validation split was measured for the `number`-th time, from 1.

        A resumed run calls it for the earlier evaluations too.

        Returns:
            True to end the run here: `run` raises `ends.Ended`.
        """
        return False

    def saved(self, step: int) -> None:
        """A checkpoint of this step is being written."""
