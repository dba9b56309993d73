"""Tables of results: on the screen, as JSON, and held against their references as a figure."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

Cell = np.ndarray | float | str


def report_measurements(
    title: str, rows: Mapping[str, Mapping[str, Cell]], folder: pathlib.Path
) -> None:
    """Prints a table of several measurements a row, and writes it to `table.json` in a folder.

    Args:
        title: what the table is.
        rows: by row and column; an array holds one value a seed and is shown as mean ± standard
            deviation. A row may lack a column.
        folder: of the run.
    """
    shown = {
        name: {
            c: cell if isinstance(cell, str) else _text(cell, ".3g", ".1g")
            for c, cell in row.items()
        }
        for name, row in rows.items()
    }
    plain = {
        name: {c: cell if isinstance(cell, str) else _summary(cell) for c, cell in row.items()}
        for name, row in rows.items()
    }
    _report({"title": title, "rows": plain}, shown, folder)


@dataclasses.dataclass(frozen=True)
class ResultTable:
    """One number a row, measured over seeds, and what it is held against.

    Attributes:
        title: what the table is.
        quantity: what the numbers are, `test error`; shares are printed in percent.
        measured: the values of each row, one a seed.
        references: the published value of a row, or its oracle; a row may have none.
        lower_is_better: whether a row reaches its reference from below.
    """

    title: str
    quantity: str
    measured: Mapping[str, np.ndarray]
    references: Mapping[str, float] = dataclasses.field(default_factory=dict)
    lower_is_better: bool = False

    def reached(self, row: str) -> bool | None:
        """Whether the mean is at least as good as the reference; None without one."""
        if row not in self.references:
            return None
        mean, reference = float(np.mean(self.measured[row])), self.references[row]
        return mean <= reference if self.lower_is_better else mean >= reference

    def report(self, folder: pathlib.Path) -> None:
        """Prints the table, and writes `table.json` and `table.png` into a folder."""
        shown: dict[str, dict[str, str]] = {}
        plain = {}
        for row, values in self.measured.items():
            reference, reached = self.references.get(row), self.reached(row)
            said = "yes" if reached else "no"
            plain[row] = _summary(values) | {"reference": reference, "reached": reached}
            shown[row] = {self.quantity: _text(values, ".2%", ".2%"), "seeds": str(len(values))}
            if reference is not None:
                shown[row] |= {"reference": f"{reference:.2%}", "reached": said}
        self.draw().savefig(folder / "table.png", dpi=120)
        _report({"title": self.title, "quantity": self.quantity, "rows": plain}, shown, folder)

    def draw(self) -> Any:
        """A bar a row with its spread, and a mark where the reference lies."""
        from matplotlib.figure import Figure

        rows = list(self.measured)
        figure = Figure(figsize=(6.4, 1.2 + 0.5 * len(rows)), layout="constrained")
        panel = figure.subplots()
        places = np.arange(len(rows))[::-1]
        results = [_summary(100 * np.asarray(values)) for values in self.measured.values()]
        panel.barh(
            places,
            [result["mean"] for result in results],
            xerr=[result["std"] or 0.0 for result in results],
            height=0.6,
            label="measured, mean ± std",
        )
        marked = [(100 * self.references[r], p) for p, r in zip(places, rows, strict=True)
                  if r in self.references]  # fmt: skip
        if marked:
            panel.plot(*zip(*marked, strict=True), "|", color="C3", markersize=22, mew=2.5,
                       label="reference")  # fmt: skip
        labels = [f"{row}\n{_text(v, '.2%', '.2%')}" for row, v in self.measured.items()]
        panel.set_yticks(places, labels, fontsize=9)
        panel.set_xlabel(f"{self.quantity}, %")
        panel.set_title(self.title, fontsize=11)
        panel.grid(axis="x", alpha=0.3)
        if marked:
            figure.legend(fontsize=8, loc="outside lower right", ncols=2, markerscale=0.5)
        return figure


def _report(
    table: Mapping[str, Any], shown: Mapping[str, Mapping[str, str]], folder: pathlib.Path
) -> None:
    """Writes `table.json`, and prints the rows as they are to be shown."""
    from rich.console import Console
    from rich.table import Table

    (folder / "table.json").write_text(json.dumps(table) + "\n")
    columns = list(dict.fromkeys(name for row in shown.values() for name in row))
    printed = Table(title=table["title"])
    printed.add_column("")
    for column in columns:
        printed.add_column(column, justify="right")
    for name, row in shown.items():
        printed.add_row(name, *(row.get(column, "") for column in columns))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120  # a log file has room
    console.print(printed)
    print(f"Everything is in {folder}")


def _text(cell: np.ndarray | float, mean: str, spread: str) -> str:
    """The mean over seeds ± their standard deviation, in these formats."""
    values = np.atleast_1d(cell)
    text = f"{values.mean():{mean}}"
    return text + (f" ± {values.std(ddof=1):{spread}}" if len(values) > 1 else "")


def _summary(cell: np.ndarray | float) -> dict[str, Any]:
    values = np.atleast_1d(cell).astype(float)
    return {
        "mean": float(values.mean()),
        "std": float(values.std(ddof=1)) if len(values) > 1 else None,
        "values": values.tolist(),
    }
