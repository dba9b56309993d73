"""Reports of finished runs: a table with references, figures and notes."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse import figures
from dlcourse.analysis.draw.table import Column, draw_table

# A number, an array of one value per seed, text, or None for a missing cell.
Cell = Any


@dataclasses.dataclass(frozen=True)
class Table:
    """Results by row and column, with a reference value for each row.

    Attributes:
        title: of the table.
        rows: cells by name of the row and of the column, both in the order to be shown. A cell is a
            number, an array of one value per seed (shown as mean ± standard deviation), text, or
            None; a row may lack columns.
        quantity: the column that the references are for.
        references: the published value of a row, or the bar set for it.
        lower_is_better: whether a row reaches its reference from above.
        diverged: rows whose run diverged; those without cells come last.
        percent: columns of shares, shown in percent.
    """

    title: str
    rows: Mapping[str, Mapping[str, Cell]]
    quantity: str | None = None
    references: Mapping[str, float] = dataclasses.field(default_factory=dict)
    lower_is_better: bool = False
    diverged: Collection[str] = ()
    percent: Collection[str] = ()

    def __post_init__(self) -> None:
        unknown = [row for row in self.references if row not in self.names]
        if self.references and self.quantity not in self.columns:
            raise ValueError(f"references need their column; '{self.quantity}' is not one")
        if unknown and set(unknown) == set(self.references):
            raise ValueError(f"references of unknown rows: {', '.join(unknown)}")

    @classmethod
    def of_metric(
        cls,
        title: str,
        quantity: str,
        measured: Mapping[str, Any],
        references: Mapping[str, float] | None = None,
        lower_is_better: bool = False,
        diverged: Collection[str] = (),
        percent: bool | None = None,
    ) -> "Table":
        """A table of one quantity.

        Args:
            title: of the table.
            quantity: its name, `test error`.
            measured: by row, one value per seed.
            references, lower_is_better, diverged: as in `Table`.
            percent: whether to show percent; by default if all values are in [0, 1]. Pass False
                for a quantity that is not a share, such as a loss.
        """
        rows = {row: {quantity: values} for row, values in measured.items()}
        if percent is None:
            values = [np.ravel(v) for v in measured.values() if v is not None]
            every = np.concatenate([*values, [*(references or {}).values()], [0.0]]).astype(float)
            finite = every[np.isfinite(every)]
            percent = bool(np.all((finite >= 0) & (finite <= 1)))
        shares = (quantity,) if percent else ()
        return cls(title, rows, quantity, references or {}, lower_is_better, diverged, shares)

    @property
    def names(self) -> list[str]:
        """The rows, in the order to be shown."""
        return list(dict.fromkeys([*self.rows, *self.diverged]))

    @property
    def columns(self) -> list[str]:
        """The columns, in the order to be shown."""
        found = dict.fromkeys(name for row in self.rows.values() for name in row)
        return list(found) if found or self.quantity is None else [self.quantity]

    def reached(self, row: str) -> bool | None:
        """Whether the mean of a row is at least as good as its reference; None without one."""
        if row not in self.references:
            return None
        values = self._values(row, str(self.quantity))
        if row in self.diverged or values is None:
            return False
        mean, reference = float(values.mean()), self.references[row]
        return mean <= reference if self.lower_is_better else mean >= reference

    def record(self) -> dict[str, Any]:
        """The table as JSON: cells with mean, std and values, references, and their marks."""
        return {
            "title": self.title,
            "quantity": self.quantity,
            "lower_is_better": self.lower_is_better,
            "columns": self.columns,
            "rows": {row: self._record(row) for row in self.names},
            "references": {row: self.references.get(row) for row in self.names},
            "reached": {row: self.reached(row) for row in self.names},
            "diverged": [row for row in self.names if row in self.diverged],
        }

    def draw(self) -> Any:
        """The numeric columns as points with error bars; None if there are none."""
        columns = []
        for name in self.columns:
            scale = 100 if name in self.percent else 1
            values = [None if row in self.diverged else self._values(row, name)
                      for row in self.names]  # fmt: skip
            if all(each is None for each in values):
                continue
            nothing = np.array([math.nan])
            cells = [nothing if each is None else scale * each for each in values]
            targets = self.references if name == self.quantity else {}
            references = [scale * targets.get(row, math.nan) for row in self.names]
            missed = [name == self.quantity and self.reached(row) is False for row in self.names]
            columns.append(
                Column(
                    f"{name}, %" if name in self.percent else name,
                    np.array([each.mean() for each in cells]),
                    np.array([each.std(ddof=1) if len(each) > 1 else math.nan for each in cells]),
                    [
                        self._text(row, name) + (", missed" if miss else "")
                        for row, miss in zip(self.names, missed, strict=True)
                    ],
                    np.array(references, float),
                )
            )
        return draw_table(self.title, self.names, columns, [*self.diverged]) if columns else None

    def printed(self) -> Any:
        """The table for rich; names and text are never read as markup."""
        from rich.table import Table as Printed
        from rich.text import Text

        targets = bool(self.references)
        shown = Printed(title=Text(self.title))
        shown.add_column("")
        seeds = ["seeds"] if self.quantity is not None else []
        for column in [*self.columns, *seeds, *(["reference", "target"] if targets else [])]:
            shown.add_column(Text(column), justify="right")
        for row in self.names:
            cells = [Text(self._text(row, column)) for column in self.columns]
            if seeds:
                every = self._of_seeds(row, str(self.quantity))
                cells.append(Text("" if every is None else _count(every)))
            if targets:
                reference, reached = self.references.get(row), self.reached(row)
                text = "" if reference is None else self._format(reference, str(self.quantity))
                mark = {True: "reached", False: "missed", None: ""}[reached]
                cells += [Text(text), Text(mark, style="" if reached is not False else "bold red")]
            shown.add_row(Text(row), *cells)
        return shown

    def _values(self, row: str, column: str) -> np.ndarray | None:
        """The numbers of a cell that its mean is over: those of seeds that did not diverge."""
        values = self._of_seeds(row, column)
        if values is None or not np.isfinite(values).any():
            return values
        return values[np.isfinite(values)]

    def _of_seeds(self, row: str, column: str) -> np.ndarray | None:
        """The numbers of a cell, `[seeds]`; None for text and missing cells."""
        cell = self.rows.get(row, {}).get(column)
        if cell is None or isinstance(cell, str):
            return None
        values = np.atleast_1d(np.asarray(cell, float)).ravel()
        return values if values.size else None

    def _record(self, row: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for column in self.columns:
            cell, values = self.rows.get(row, {}).get(column), self._values(row, column)
            every = self._of_seeds(row, column)
            if values is not None and every is not None:
                std = float(values.std(ddof=1)) if len(values) > 1 else None
                found[column] = {
                    "mean": _finite(float(values.mean())),
                    "std": _finite(std),
                    "values": [_finite(value) for value in every.tolist()],
                }
            else:
                found[column] = cell if isinstance(cell, str) else None
        return found

    def _text(self, row: str, column: str) -> str:
        cell, values = self.rows.get(row, {}).get(column), self._values(row, column)
        if isinstance(cell, str):
            return cell
        if row in self.diverged:
            return "diverged"
        if values is None:
            return ""
        text = self._format(float(values.mean()), column)
        if len(values) > 1:
            spread = float(values.std(ddof=1))
            text += f" ± {self._format(spread, column, spread=True)}"
        return text

    def _format(self, value: float, column: str, *, spread: bool = False) -> str:
        if column in self.percent:
            return f"{value:.2%}"
        return f"{value:.1g}" if spread else f"{value:.3g}"


@dataclasses.dataclass(frozen=True)
class Report:
    """The results of finished runs.

    Attributes:
        table: of results.
        figures: matplotlib figures or animations, by file name without ending.
        notes: sentences to print below the table.
    """

    table: Table | None = None
    figures: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: Sequence[str] = ()

    def save(self, folder: pathlib.Path) -> None:
        """Writes the table and the figures into a folder, and prints the table and the notes.

        The files are `table.json`, `table.png` and `figures/NAME.png` or `.gif`.
        """
        from rich.console import Console
        from rich.text import Text

        folder.mkdir(parents=True, exist_ok=True)
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = 120  # lines of a log file are not limited by a screen
        if self.table is not None:
            record = json.dumps(self.table.record(), indent=2, allow_nan=False)
            (folder / "table.json").write_text(record + "\n")
            drawn = self.table.draw()
            if drawn is not None:
                figures.save(drawn, folder / "table")
            console.print(self.table.printed())
        for name, figure in self.figures.items():
            figures.save(figure, folder / "figures" / name)
        for note in self.notes:
            console.print(Text(note), soft_wrap=True)
        console.print(Text(f"Everything is in {folder}"), soft_wrap=True)


def _count(values: np.ndarray) -> str:
    """How many seeds a mean is over."""
    finite = np.count_nonzero(np.isfinite(values))
    return str(len(values)) if finite == len(values) else f"{finite} of {len(values)}"


def _finite(value: float | None) -> float | None:
    """A number that JSON can hold, None for nan and infinity."""
    return value if value is not None and math.isfinite(value) else None
