"""The paths of optimizers on functions of two variables, still and animated."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcourse import figures
from dlcourse.analysis.measure.surfaces import SURFACES, Surface

# By name of the surface and label of the path, [steps + 1, 2].
Paths = Mapping[str, Mapping[str, np.ndarray]]


def draw_descents(paths: Paths, surfaces: Mapping[str, Surface] = SURFACES) -> Any:
    """One column per surface: the paths over its contours, and below, the height at each step.

    Args:
        paths: `[steps + 1, 2]` by name of the surface and label of the path. The optimizers come
            in one order on every surface; a label is the optimizer's name and its options after a
            comma.
        surfaces: by name.
    """
    figure, panels = figures.new(2, len(paths), width=4.2, height=3.8, height_ratios=(3, 2))
    figures.title(
        figure, "paths to the minimum (star), each optimizer at its best rate; dark is high",
    )  # fmt: skip
    for (name, walks), (above, below) in zip(paths.items(), panels.T, strict=True):
        _draw_surface(above, name, surfaces[name], walks)
        for (label, points), look in zip(walks.items(), _looks(walks).values(), strict=True):
            heights = np.asarray(surfaces[name].height(points))
            figures.line(below, np.arange(len(points)), heights, look, label)
        below.set(xlabel="step", ylabel="height", yscale="log")
        below.set_ylim(bottom=max(below.get_ylim()[0], 1e-12))  # smaller heights are rounding
        columns = figures.legend_columns(list(walks), 3.6, size=7)
        below.legend(
            fontsize=7, ncols=columns, loc="upper center", bbox_to_anchor=(0.5, -0.22),
            frameon=False,
        )  # fmt: skip
    return figure


def animate_descents(
    paths: Paths, surfaces: Mapping[str, Surface] = SURFACES, *, frames: int = 40
) -> Any:
    """An animation of the paths growing over the contours, slow at first.

    Frame k shows the steps up to `(k / frames)² · steps`.

    Args:
        paths, surfaces: as in `draw_descents`.
        frames: how many, without the first.
    """
    from matplotlib.animation import FuncAnimation

    figure, (panels,) = figures.new(1, len(paths), width=3.4, height=3.8)
    lines: list[Any] = []
    walked: list[np.ndarray] = []
    for (name, walks), panel in zip(paths.items(), panels, strict=True):
        lines += _draw_surface(panel, name, surfaces[name], walks)
        walked += walks.values()
    figures.legend_beside(figure, panels[-1], place="below")
    figure.draw_without_rendering()
    figure.set_layout_engine(None)  # laid out once, not for every frame

    def show(last: int) -> list[Any]:
        for line, points in zip(lines, walked, strict=True):
            line.set_data(*points[: last + 1].T)
            line.set_markevery([min(last, len(points) - 1)])
        return lines

    steps = max(len(points) for points in walked) - 1
    shown = sorted({math.ceil((frame / frames) ** 2 * steps) for frame in range(frames + 1)})
    return FuncAnimation(figure, show, frames=shown, interval=80)


def _looks(walks: Mapping[str, np.ndarray]) -> dict[str, figures.Look]:
    return figures.looks(label.partition(",")[0] for label in walks)


def _draw_surface(
    panel: Any, name: str, surface: Surface, walks: Mapping[str, np.ndarray]
) -> list[Any]:
    """The surface from above with the paths on it; returns their lines."""
    left, right, bottom, top = surface.window
    x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(bottom, top, 200))
    # The logarithm shows the floor of the valley beside its walls.
    heights = np.log10(np.asarray(surface.height(np.stack([x, y], axis=-1))) + 1e-2)
    panel.grid(False)
    panel.imshow(heights, "Greys", aspect="auto", alpha=0.7, origin="lower", extent=surface.window)
    panel.contour(x, y, heights, levels=12, colors="white", linewidths=0.4)
    panel.plot(*surface.start, "k.", markersize=8)
    panel.plot(*surface.minimum, "k*", markersize=12)
    lines = [
        figures.line(panel, points[:, 0], points[:, 1], look, label)
        for (label, look), points in zip(_looks(walks).items(), walks.values(), strict=True)
    ]
    panel.set(xlabel="x", ylabel="y", xlim=(left, right), ylim=(bottom, top))
    figures.title(panel, name)
    return lines
