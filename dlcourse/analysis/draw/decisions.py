"""Decision boundaries in the plane, before and after training."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int

from dlcourse import figures

Score = Callable[[Float[np.ndarray, "points 2"]], Array]


class Decision(NamedTuple):
    """A classifier of points in the plane, and the points.

    Attributes:
        points, labels: the examples and their classes, 0 or 1.
        before, after: the score of the untrained and the trained model, above 0 for class 1.
    """

    points: Float[np.ndarray, "examples 2"]
    labels: Int[np.ndarray, " examples"]
    before: Score
    after: Score


def draw_decisions(decisions: Mapping[str, Decision]) -> Any:
    """One panel per classifier: classes as colours, boundaries before and after training.

    Args:
        decisions: by title of the panel.
    """
    from matplotlib.lines import Line2D

    figure, (panels,) = figures.new(1, len(decisions), width=3.2, height=3.9, grid=False)
    figure.set_figwidth(max(4.5, figure.get_figwidth()))
    for panel, (title, decision) in zip(panels, decisions.items(), strict=True):
        _draw(panel, decision)
        figures.title(panel, title)
    lines = [Line2D([], [], color="black", linestyle=style) for style in ("--", "-")]
    dots = [
        Line2D([], [], color=color, marker=mark, linestyle="", markeredgecolor="white")
        for color, mark in ((figures.NEGATIVE, "o"), (figures.POSITIVE, "s"))
    ]
    figure.legend(
        [*lines, *dots],
        ["boundary before training", "boundary after training", "class 0", "class 1"],
        loc="outside lower center",
        ncols=4 if len(decisions) > 2 else 2,
        fontsize=9,
        frameon=False,
    )
    return figure


def _draw(panel: Any, decision: Decision) -> None:
    low, high = decision.points.min(axis=0), decision.points.max(axis=0)
    margin = 0.35 * (high - low)
    axes = np.linspace(low - margin, high + margin, 201, dtype=np.float32).T
    x, y = np.meshgrid(*axes)
    grid = np.stack([x.ravel(), y.ravel()], axis=-1)
    before, after = (
        np.asarray(score(grid)).reshape(x.shape) for score in (decision.before, decision.after)
    )
    colors = [figures.NEGATIVE, figures.POSITIVE]
    panel.contourf(x, y, after > 0, levels=[-0.5, 0.5, 1.5], colors=colors, alpha=0.15)
    for score, style in ((before, "--"), (after, "-")):
        if score.min() < 0 < score.max():  # otherwise the boundary is outside
            panel.contour(x, y, score, levels=[0.0], colors="black", linestyles=style)
    for label, (color, mark) in enumerate(zip(colors, "os", strict=True)):
        here = decision.points[decision.labels == label]
        size = 70 if len(decision.points) < 10 else 14
        panel.scatter(*here.T, size, color, mark, edgecolors="white", linewidths=0.7, zorder=3)
    panel.set(xlabel="$x_1$", ylabel="$x_2$", xlim=axes[0][[0, -1]], ylim=axes[1][[0, -1]])
