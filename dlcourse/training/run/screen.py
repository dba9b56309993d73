"""What a run shows: one line of progress, then a table of results."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import psutil

from dlcourse.learner import is_diagnostic
from dlcourse.training.engine import processes

QUIET_SECONDS = 5.0  # between two lines where no live line can be drawn, as in a log file


class Silent:
    """Shows nothing; the base of `Screen`. It records when training began.

    Attributes:
        start_seconds: from the start of the process to the end of its first training steps.
    """

    def __init__(self) -> None:
        self.start_seconds: float | None = None

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def started(self) -> None:
        """The first training steps are done."""
        if self.start_seconds is None:
            self.start_seconds = time.time() - psutil.Process().create_time()

    def say(self, text: str) -> None:
        """Shows a line."""

    def metrics(self, row: Mapping[str, Any]) -> None:
        """Takes the newest row of metrics of a split, shown in the next line of progress."""

    def show(self, step: int, examples_per_second: float | None = None) -> None:
        """Shows the progress of the run."""

    def results(self, summary: Mapping[str, Any], folder: Any) -> None:
        """Shows the final metrics."""


class Screen(Silent):
    """One live line on a terminal; in a file, a plain line every few seconds.

    Without the library rich, which a bare machine may lack, lines are printed plainly.
    """

    def __init__(self, total: int, live: bool) -> None:
        super().__init__()
        self.total, self._first = total, processes.is_first()
        self._texts: dict[str, str] = {}
        self._shown = self._begun = time.monotonic()
        self._begun_at: int | None = None  # the first step that was shown
        self._console, self._progress = None, None
        try:
            from rich.console import Console
        except ImportError:
            return
        self._console = Console(highlight=False, quiet=not self._first, markup=False)
        if not self._console.is_terminal:
            self._console.width = 120  # a log file has room
        elif live:
            self._progress = _progress(self._console)
            self._task = self._progress.add_task("", total=total, metrics="compiling")

    def __enter__(self) -> "Screen":
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def say(self, text: str) -> None:
        if self._console is not None:
            self._console.print(text, soft_wrap=True)
        elif self._first:
            print(text, flush=True)

    def metrics(self, row: Mapping[str, Any]) -> None:
        """Takes a row; of learners side by side, minimum and maximum are shown."""
        found: dict[str, list] = {}
        for name, value in row.items():
            if name not in ("step", "split") and not is_diagnostic(name):
                found.setdefault(name.partition("/")[0], []).append(value)
        texts = [f"{name} {_range(values)}" for name, values in found.items()]
        self._texts[row["split"]] = f"{row['split']} {' '.join(texts)}"

    def show(self, step: int, examples_per_second: float | None = None) -> None:
        if examples_per_second is not None:
            self._texts["rate"] = f"{examples_per_second:,.0f} examples/s"
        now = time.monotonic()
        if self._begun_at is None:
            self._begun, self._begun_at = now, step
        parts = ("rate", "train", "validation")
        text = " · ".join(self._texts[part] for part in parts if part in self._texts)
        if self._progress is not None:
            # The width left beside the step, the bar and the time.
            room = max(20, self._progress.console.width - 50 - 2 * len(str(self.total)))
            text = text if len(text) <= room else text[: room - 1] + "…"
            self._progress.update(self._task, completed=step, metrics=text)
        elif now - self._shown > QUIET_SECONDS:
            self._shown = now
            self.say(f"step {step}/{self.total} · {self._left(step, now)}{text}")

    def _left(self, step: int, now: float) -> str:
        """The time left at the pace so far, evaluations and saves included."""
        done = step - (self._begun_at or 0)
        if done <= 0:
            return ""
        seconds = round((self.total - step) * (now - self._begun) / done)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return (f"{hours}:{minutes:02}" if hours else f"{minutes}") + f":{seconds:02} left · "

    def results(self, summary: Mapping[str, Any], folder: Any) -> None:
        """The table of final metrics, the seconds by activity, and the run folder."""
        splits = summary["metrics"]
        measured = dict.fromkeys(name for row in splits.values() for name in row)
        names = [name for name in measured if not is_diagnostic(name)]
        rows = [
            [name.replace("_", " ")]
            + [_short(row[name]) if name in row else "" for row in splits.values()]
            for name in names
        ]
        title = f"{summary['experiment']}: {summary['parameters']:,} parameters"
        if self._console is None:
            self.say("\n".join([title, "  ".join(["", *splits]), *map("  ".join, rows)]))
        else:
            from rich.table import Table
            from rich.text import Text

            table = Table(title=Text(title))
            table.add_column("")
            for split in splits:
                table.add_column(split, justify="right")
            for row in rows:
                table.add_row(*row)
            self._console.print(table)
        spent = sorted(summary["time"].items(), key=lambda item: -item[1])
        self.say(
            f"{summary['steps']:,} steps, {summary['examples_per_second']:,.0f} examples/s. "
            f"Seconds: {', '.join(f'{name} {seconds:.1f}' for name, seconds in spent)}."
        )
        self.say(f"Run folder: {folder}")


def _progress(console: Any) -> Any:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("step"),
        MofNCompleteColumn(),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[metrics]}", markup=False),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=console,
        transient=True,
    )


def _range(values: Sequence[Any]) -> str:
    """One value as `_short` has it; minimum and maximum of several."""
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
