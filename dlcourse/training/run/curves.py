"""Learning curves of a run, from the rows of its metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse import figures
from dlcourse.learner import is_diagnostic

# By split: steps, values, and their spread over seeds, nan where there is one seed.
Curves = Mapping[str, tuple[np.ndarray, ...]]


def draw_curves(rows: Sequence[Mapping[str, Any]]) -> Any:
    """One panel per metric, one line per split; of several seeds the mean and the spread.

    Metrics called `m/n`, those of learners side by side, share the panel of m, with one line per
    learner: of the validation split, or of the train split if no other is measured.

    Args:
        rows: each with `step`, `split`, and metrics by name. A metric is a number, None for one
            that is not finite, or a mapping with `mean` and `std` over seeds.

    Returns:
        The figure; None if there are no metrics.
    """
    names = _shown(rows)
    if not names:
        return None
    panels_of: dict[str, list[str]] = {}
    for name in names:
        panels_of.setdefault(name.partition("/")[0], []).append(name)
    learners = figures.natural({name.partition("/")[2] for name in names})
    looks = figures.looks(learners)
    columns = min(3, len(panels_of))
    lines = -(-len(panels_of) // columns)
    figure, panels = figures.new(lines, columns, width=4.2, height=3.2)
    side_by_side = []
    for panel, (metric, members) in zip(panels.flat, panels_of.items(), strict=False):
        curves = {name.partition("/")[2]: _curves(rows, name) for name in members}
        title = metric.replace("_", " ")
        if list(curves) == [""]:
            _draw_splits(panel, curves[""])
        else:
            ordered = {name: curves[name] for name in learners if name in curves}
            title += f", {_draw_learners(panel, ordered, looks)}"
            side_by_side.append(panel)
        if any(isinstance(row.get(name), Mapping) for row in rows for name in members):
            title += ", mean ± std"
        panel.set_xlabel("step")
        figures.title(panel, title)
        if metric.endswith("learning_rate"):  # a schedule is known by its shape
            figures.zoom(panel)
        else:
            _choose_scale(panel)
    for panel in panels.flat[len(panels_of) :]:
        panel.set_visible(False)
    figures.legend_beside(figure, *side_by_side)
    figures.legend(*(p for p in panels.flat[: len(panels_of)] if p not in side_by_side))
    return figure


def _shown(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The metrics, then the diagnostics of training without rates that never change.

    Metrics of the test split alone have no curve.
    """
    logged = [row for row in rows if row["split"] != "test"] or rows
    names = dict.fromkeys(n for row in logged for n in row if n not in ("step", "split"))
    rates = [name for name in names if name.partition("/")[0].endswith("learning_rate")]
    values_of = {name: [row[name] for row in rows if name in row] for name in rates}
    constant = {name for name, values in values_of.items() if all(v == values[0] for v in values)}
    return sorted((name for name in names if name not in constant), key=is_diagnostic)


def _curves(rows: Sequence[Mapping[str, Any]], name: str) -> Curves:
    found: dict[str, list[tuple]] = {}
    for row in rows:
        value = row.get(name)
        if not isinstance(value, Mapping):
            value = {"mean": value, "std": None}
        if value["mean"] is not None:
            found.setdefault(row["split"], []).append((row["step"], value["mean"], value["std"]))
    return {
        split: tuple(np.array(column, float) for column in zip(*points, strict=True))
        for split, points in found.items()
    }


def _draw_splits(panel: Any, curves: Curves) -> None:
    """Lines of the train and the validation split, and the end of the test split as a star."""
    looks = figures.looks(["train", "validation"])
    looks["test"] = figures.Look("black", "*", "")
    for split, look in looks.items():
        if split in curves:
            size = {"markersize": 9} if split == "test" else {}
            _draw_line(panel, curves[split], look, split, **size)


def _draw_learners(
    panel: Any, curves: Mapping[str, Curves], looks: Mapping[str, figures.Look]
) -> str:
    """A line for every learner, in its own look on all panels; returns the split drawn."""
    measured = [split for of_learner in curves.values() for split in of_learner]
    split = "validation" if "validation" in measured else "train"
    for name, of_learner in curves.items():
        if split in of_learner:
            _draw_line(panel, of_learner[split], looks[name], name.replace("_", " "))
    return split


def _draw_line(panel: Any, points: tuple, look: figures.Look, label: str, **options: Any) -> None:
    steps, means, stds = points
    spread = stds if np.isfinite(stds).any() else None
    figures.line(panel, steps, means, look, label, spread=spread, **options)


def _choose_scale(panel: Any) -> None:
    """A logarithmic axis for a metric that falls far, otherwise limits that fit the data."""
    lines = [np.asarray(line.get_ydata(), float) for line in panel.lines]
    lines = [line[np.isfinite(line)] for line in lines]
    lines = [line for line in lines if line.size]
    positive = all(line.min() > 0 for line in lines)
    if lines and positive and max(line[0] / line[-1] for line in lines) > 10:
        panel.set_yscale("log")
        values = np.concatenate(lines)
        panel.set_ylim(0.8 * values.min(), 1.25 * values.max())
    else:
        figures.zoom(panel)
