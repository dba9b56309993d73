"""A table of several measurements a row: on the screen and as JSON."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

Cell = np.ndarray | float | str


def report_measurements(
    title: str, rows: Mapping[str, Mapping[str, Cell]], folder: pathlib.Path
) -> None:
    """Prints a table and writes it to `table.json` in a folder.

    Args:
        title: what the table is.
        rows: by row and column; an array holds one value a seed and is shown as mean ± standard
            deviation. A row may lack a column.
        folder: of the run.
    """
    from rich.console import Console
    from rich.table import Table

    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    table = Table(title=title)
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for name, row in rows.items():
        table.add_row(name, *(_shown(row[c]) if c in row else "" for c in columns))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120  # a log file has room
    console.print(table)
    plain = {name: {c: _plain(cell) for c, cell in row.items()} for name, row in rows.items()}
    (folder / "table.json").write_text(json.dumps({"title": title, "rows": plain}) + "\n")
    print(f"Everything is in {folder}")


def _shown(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    values = np.atleast_1d(cell)
    spread = f" ± {values.std(ddof=1):.1g}" if len(values) > 1 else ""
    return f"{values.mean():.3g}{spread}"


def _plain(cell: Cell) -> Any:
    if isinstance(cell, str):
        return cell
    values = np.atleast_1d(cell).astype(float)
    return {
        "mean": float(values.mean()),
        "std": float(values.std(ddof=1)) if len(values) > 1 else None,
        "values": values.tolist(),
    }
