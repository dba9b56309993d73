"""What a person sees while a run goes on: one line of progress, then a table of results."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dlcourse.training.engine import processes

QUIET_SECONDS = 5.0  # between two lines where no live line can be drawn, as in a log file


class Screen:
    """One live line on a terminal; in a file, a plain line every few seconds."""

    def __init__(self, total: int, live: bool) -> None:
        self.console = Console(stderr=False, highlight=False, quiet=not processes.is_first())
        if not self.console.is_terminal:
            self.console.width = 120  # a log file has room
        self.live = live and self.console.is_terminal
        self.total = total
        self._shown = time.monotonic()
        self._progress = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[metrics]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self.console,
            transient=True,
            disable=not self.live,
        )
        self._task = self._progress.add_task("", total=total, metrics="compiling")
        self._texts: dict[str, str] = {}

    def __enter__(self) -> "Screen":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True)

    def show(self, step: int, row: Mapping[str, Any]) -> None:
        """Shows a row of metrics beside the step; of learners side by side the least and most."""
        metrics: dict[str, list] = {}
        for name, value in row.items():
            if name not in ("step", "split"):
                metrics.setdefault(name.partition("/")[0], []).append(value)
        texts = [f"{name} {_range(values)}" for name, values in metrics.items()]
        self._texts[row["split"]] = f"{row['split']} {' '.join(texts)}"
        self._update(step)

    def rate(self, step: int, examples_per_second: float) -> None:
        self._texts["rate"] = f"{examples_per_second:,.0f} examples/s"
        self._update(step)

    def _update(self, step: int) -> None:
        text = " · ".join(self._texts.values())
        if self.live:
            # What is left beside the step, the bar and the time; a table would cut those too.
            room = max(20, self.console.width - 50 - 2 * len(str(self.total)))
            text = text if len(text) <= room else text[: room - 1] + "…"
            self._progress.update(self._task, completed=step, metrics=text)
        elif time.monotonic() - self._shown > QUIET_SECONDS:
            self._shown = time.monotonic()
            self.console.print(f"step {step}/{self.total} · {text}", soft_wrap=True)

    def results(self, summary: Mapping[str, Any], folder: Any) -> None:
        """The table of final metrics, and where everything lies."""
        splits = summary["metrics"]
        names = list(dict.fromkeys(name for row in splits.values() for name in row))
        table = Table(title=f"{summary['experiment']}: {summary['parameters']:,} parameters")
        table.add_column("")
        for split in splits:
            table.add_column(split, justify="right")
        for name in names:
            values = (_short(row[name]) if name in row else "" for row in splits.values())
            table.add_row(name.replace("_", " "), *values)
        self.console.print(table)
        self.say(
            f"{summary['steps']:,} steps in {summary['seconds']:.1f} s after "
            f"{summary['compile_seconds']:.1f} s of compiling, "
            f"{summary['examples_per_second']:,.0f} examples/s. "
            f"Everything is in [bold]{folder}[/bold]"
        )


def _range(values: Sequence[Any]) -> str:
    """One value as `_short` has it; of several the least and the most."""
    if len(values) == 1:
        return _short(values[0])
    means = [value["mean"] if isinstance(value, Mapping) else value for value in values]
    finite = [mean for mean in means if mean is not None]
    return f"{_short(min(finite))} to {_short(max(finite))}" if finite else "nan"


def _short(value: Any) -> str:
    """A number in four digits; a population as its mean and spread."""
    if value is None:
        return "nan"
    if isinstance(value, Mapping):
        return _short(value["mean"]) + (
            f" ± {value['std']:.2g}" if value["std"] is not None else ""
        )
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"
