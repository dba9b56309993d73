"""Learning curves, and saving figures."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

STYLES = ("-", "--", ":", "-.")  # lines that lie on each other stay apart

# By split: steps, values, and their spread over seeds, nan where there is one seed.
Curves = Mapping[str, tuple[np.ndarray, ...]]


def draw_curves(rows: Sequence[Mapping[str, Any]], path: pathlib.Path) -> None:
    """One panel a metric, one line a split; a population as its mean and spread.

    Metrics called `m/n`, those of learners side by side, share the panel of m, with one line a
    learner: of the validation split, or of the train split where no other is measured.
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(n for row in rows for n in row if n not in ("step", "split")))
    panels_of: dict[str, list[str]] = {}
    for name in names:
        panels_of.setdefault(name.partition("/")[0], []).append(name)
    if not names:
        return
    learners = list(dict.fromkeys(name.partition("/")[2] for name in names))
    width, height = (4.2, 3.2) if learners == [""] else (5.5, 3.8)
    columns = min(3, len(panels_of))
    lines = -(-len(panels_of) // columns)
    figure = Figure(figsize=(width * columns, height * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).reshape(-1)
    for panel, (metric, members) in zip(panels, panels_of.items(), strict=False):
        curves = {name.partition("/")[2]: _curves(rows, name) for name in members}
        title = metric.replace("_", " ")
        if list(curves) == [""]:
            _draw_splits(panel, curves[""])
        else:
            title += f", {_draw_learners(panel, curves, learners)}"
        if any(isinstance(row.get(name), Mapping) for row in rows for name in members):
            title += ", mean ± std"
        panel.set(xlabel="step", title=title)
        panel.grid(alpha=0.3)
        if panel.lines:
            _choose_scale(panel)
            if len(curves) > 5:  # in the panel it would cover the lines
                panel.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
            else:
                panel.legend(fontsize=8)
    for panel in panels[len(panels_of) :]:
        panel.set_visible(False)
    figure.savefig(path, dpi=120)


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
    styles = {"train": ("C0", "-"), "validation": ("C1", ".-"), "test": ("C3", "*")}
    for split, (color, style) in styles.items():
        if split in curves:
            _draw_line(panel, curves[split], style, label=split, color=color)


def _draw_learners(panel: Any, curves: Mapping[str, Curves], learners: Sequence[str]) -> str:
    """A line for every learner, in its own colour on all panels; returns of which split."""
    seen = [split for of_learner in curves.values() for split in of_learner]
    split = "validation" if "validation" in seen else "train"
    for name, of_learner in curves.items():
        if split in of_learner:
            number = learners.index(name)
            look: dict[str, Any] = {
                "color": f"C{number % 10}",
                "zorder": 2 + number % 4,
            }  # broken ones on top
            label = name.replace("_", " ")
            _draw_line(panel, of_learner[split], STYLES[number % 4], label=label, **look)
    return split


def _draw_line(panel: Any, points: tuple, style: str, *, color: str, **look: Any) -> None:
    steps, means, stds = points
    style = style if len(steps) > 1 or style == "*" else "."  # a line needs two points
    panel.fill_between(steps, means - stds, means + stds, color=color, alpha=0.2, linewidth=0)
    panel.plot(steps, means, style, color=color, **look)


def _choose_scale(panel: Any) -> None:
    """Makes the end of a metric that falls far visible, and no noise out of one that stays."""
    lines = [np.asarray(line.get_ydata()) for line in panel.lines]
    values = np.concatenate(lines)
    middle = values.mean()
    if values.min() > 0 and max(line[0] / line[-1] for line in lines) > 10:
        panel.set_yscale("log")
    elif np.ptp(values) < 0.01 * abs(middle):
        panel.set_ylim(middle - 0.01 * abs(middle), middle + 0.01 * abs(middle))


def save_figure(figure: Any, path: pathlib.Path) -> None:
    """Saves a matplotlib figure as PNG, an animation as GIF; `path` has no ending."""
    if hasattr(figure, "savefig"):
        figure.savefig(path.with_name(path.name + ".png"), dpi=120)
    else:
        figure.save(path.with_name(path.name + ".gif"), writer="pillow")
