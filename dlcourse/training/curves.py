"""Learning curves, and saving figures."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

COLOURS = (*(f"C{number}" for number in range(10)), "black", "navy", "gold", "lime")


def draw_curves(rows: Sequence[Mapping[str, Any]], path: pathlib.Path) -> None:
    """One panel a metric, one line a split; a population as its mean and spread.

    Metrics called `m/n`, those of learners side by side, share the panel of m.
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(n for row in rows for n in row if n not in ("step", "split")))
    panels_of: dict[str, list[str]] = {}
    for name in names:
        panels_of.setdefault(name.partition("/")[0], []).append(name)
    if not names:
        return
    columns = min(3, len(panels_of))
    lines = -(-len(panels_of) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.2 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).reshape(-1)
    for panel, (title, members) in zip(panels, panels_of.items(), strict=False):
        for number, name in enumerate(members):
            _draw_metric(panel, rows, name, number if len(members) > 1 else None)
        panel.set(xlabel="step", title=title.replace("_", " "))
        panel.grid(alpha=0.3)
        if len(members) > 4:  # beside the panel: in it, they would cover the lines
            panel.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
        else:
            panel.legend(fontsize=8)
    for panel in panels[len(panels_of) :]:
        panel.set_visible(False)
    figure.savefig(path, dpi=120)


def _draw_metric(
    panel: Any, rows: Sequence[Mapping[str, Any]], name: str, number: int | None
) -> None:
    """The lines of a metric: splits in colours, or, for one of many learners, in line styles."""
    styles = {"train": ("C0", "-"), "validation": ("C1", ".-"), "test": ("C3", "*")}
    for split, (color, style) in styles.items():
        label = split
        if number is not None:
            color = COLOURS[number % len(COLOURS)]
            style = {"train": ":", "validation": "-", "test": "*"}[split]
            label = name.partition("/")[2] if split == "validation" else ""
        points = [
            (row["step"], row[name])
            for row in rows
            if row["split"] == split and row.get(name) is not None
        ]
        if points:
            _draw_line(panel, points, color, style, label)


def _draw_line(
    panel: Any, points: Sequence[tuple[int, Any]], color: str, style: str, label: str
) -> None:
    drawn = [
        (step, value["mean"], value["std"] or 0.0)
        if isinstance(value, Mapping)
        else (step, value, 0)
        for step, value in points
    ]
    drawn = [(step, mean, std) for step, mean, std in drawn if mean is not None]
    if not drawn:
        return
    steps, means, stds = (np.array(column) for column in zip(*drawn, strict=True))
    if isinstance(points[0][1], Mapping):
        panel.fill_between(steps, means - stds, means + stds, color=color, alpha=0.2, linewidth=0)
        label += ", mean ± std" if label else ""
    panel.plot(steps, means, style, color=color, label=label or None)


def save_figure(figure: Any, path: pathlib.Path) -> None:
    """Saves a matplotlib figure as PNG, an animation as GIF; `path` has no ending."""
    if hasattr(figure, "savefig"):
        figure.savefig(path.with_name(path.name + ".png"), dpi=120)
    else:
        figure.save(path.with_name(path.name + ".gif"), writer="pillow")
