"""A table of results beside their references: printed, drawn, and written as JSON."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np


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

    def as_json(self) -> dict[str, Any]:
        """Each row's mean, spread, values and reference."""
        return {
            row: {
                "mean": float(np.mean(values)),
                "std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
                "values": [float(value) for value in values],
                "reference": self.references.get(row),
                "reached": self.reached(row),
            }
            for row, values in self.measured.items()
        }

    def report(self, folder: pathlib.Path) -> None:
        """Prints the table, and writes `table.json` and `table.png` into a folder."""
        (folder / "table.json").write_text(
            json.dumps({"title": self.title, "quantity": self.quantity, "rows": self.as_json()})
            + "\n"
        )
        self.draw().savefig(folder / "table.png", dpi=120)
        self.print()
        print(f"Everything is in {folder}")

    def print(self) -> None:
        """The table on the screen."""
        from rich.console import Console
        from rich.table import Table

        table = Table(title=self.title)
        table.add_column("")
        table.add_column(self.quantity, justify="right")
        table.add_column("seeds", justify="right")
        if self.references:
            table.add_column("reference", justify="right")
            table.add_column("reached", justify="right")
        for row, values in self.measured.items():
            spread = f" ± {np.std(values, ddof=1):.2%}" if len(values) > 1 else ""
            cells = [row, f"{np.mean(values):.2%}{spread}", str(len(values))]
            if self.references:
                reached = self.reached(row)
                cells += ["", ""] if reached is None else [
                    f"{self.references[row]:.2%}", "yes" if reached else "no",
                ]  # fmt: skip
            table.add_row(*cells)
        Console(highlight=False).print(table)

    def draw(self) -> Any:
        """A bar a row with its spread, and a mark where the reference lies."""
        from matplotlib.figure import Figure

        rows = list(self.measured)
        figure = Figure(figsize=(6.4, 1.2 + 0.5 * len(rows)), layout="constrained")
        panel = figure.subplots()
        places = np.arange(len(rows))[::-1]
        means = [100 * float(np.mean(self.measured[row])) for row in rows]
        stds = [
            100 * float(np.std(v, ddof=1)) if len(v) > 1 else 0.0 for v in self.measured.values()
        ]
        panel.barh(places, means, xerr=stds, color="C0", height=0.6, label="measured, mean ± std")
        for place, row in zip(places, rows, strict=True):
            panel.text(
                0.01, place, f"{means[rows.index(row)]:.2f} %", va="center", color="white",
                fontsize=9, transform=panel.get_yaxis_transform(),
            )  # fmt: skip
        marked = [(100 * self.references[r], p) for p, r in zip(places, rows, strict=True)
                  if r in self.references]  # fmt: skip
        if marked:
            panel.plot(*zip(*marked, strict=True), "|", color="C3", markersize=22, mew=2.5,
                       label="reference")  # fmt: skip
        panel.set_yticks(places, rows)
        panel.set_xlabel(f"{self.quantity}, %")
        panel.set_title(self.title, fontsize=11)
        panel.grid(axis="x", alpha=0.3)
        if marked:
            panel.legend(fontsize=8, loc="lower right", markerscale=0.5)
        return figure
