"""Surfaces over the plane to walk down, and the paths that optimizers take on them."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dlcourse.learner import Learner

Point = Float[Array, "... 2"]
Height = Float[Array, "..."]


def rosenbrock(point: Point) -> Height:
    """`(1 - x)² + 100 (y - x²)²`: a bent valley, easy to find and slow to follow; 0 at (1, 1)."""
    x, y = point[..., 0], point[..., 1]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def beale(point: Point) -> Height:
    """`(1.5 - x + xy)² + (2.25 - x + xy²)² + (2.625 - x + xy³)²`: plains under steep walls.

    0 at (3, ½).
    """
    x, y = point[..., 0], point[..., 1]
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def ravine(point: Point) -> Height:
    """`½ (x² + 100 y²)`: a hundred times as steep across as along; 0 at the origin.

    Gradient descent multiplies x by `1 - α` and y by `1 - 100 α` in every step: a rate below
    2/100, or it diverges, and at such a rate x is slow.
    """
    x, y = point[..., 0], point[..., 1]
    return 0.5 * (x**2 + 100 * y**2)


class Surface(NamedTuple):
    """A surface, where to start on it, where its bottom is, and the part of the plane to draw."""

    height: Callable[[Point], Height]
    start: tuple[float, float]
    minimum: tuple[float, float]
    window: tuple[float, float, float, float]
    """left, right, bottom, top"""


SURFACES = {
    "Rosenbrock": Surface(rosenbrock, (-1.0, 2.5), (1.0, 1.0), (-2.0, 2.0, -1.0, 3.0)),
    "Beale": Surface(beale, (1.0, 1.5), (3.0, 0.5), (-1.0, 4.0, -2.0, 2.0)),
    "ravine": Surface(ravine, (-4.0, 1.0), (0.0, 0.0), (-5.0, 5.0, -2.0, 2.0)),
}


def path(learner: Learner, steps: int, key: Array) -> Float[Array, "steps_and_start 2"]:
    """Every point of a descent, the start first.

    Arguments:
        learner: of a state with a field `point`, such as `learners.descent`; it needs no data.
    """

    def step(state: Any, number: Array) -> tuple[Any, Array]:
        state, _ = learner.step(state, {}, jax.random.fold_in(key, number))
        return state, state.point

    start = learner.init(key, {})
    _, points = jax.lax.scan(step, start, jnp.arange(steps))
    return jnp.concatenate([start.point[None], points])


def best_rate(
    make_learner: Callable[[Array], Learner],
    height: Callable[[Point], Height],
    rates: Float[Array, " rates"],
    steps: int,
    key: Array,
) -> Float[Array, ""]:
    """The learning rate that gets lowest in `steps` steps and on its way never above its start.

    The second condition leaves out rates that jump into the valley by luck. All rates walk side
    by side; nan, where none of them keeps to it.
    """
    walk = jax.jit(jax.vmap(lambda rate: path(make_learner(rate), steps, key)))
    heights = height(walk(rates))
    tame = jnp.all(heights <= heights[:, :1], axis=1)  # nan is not
    best = jnp.argmin(jnp.where(tame, heights[:, -1], jnp.inf))
    return jnp.where(jnp.any(tame), rates[best], jnp.nan)


Paths = Mapping[str, Mapping[str, np.ndarray]]


def draw(paths: Paths) -> Any:
    """One column a surface: the paths over its contours, and below, the height step by step.

    Arguments:
        paths: by name of the surface, one of `SURFACES`, and label of the path, `[steps + 1, 2]`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(paths), 7.2), layout="constrained")
    axes = figure.subplots(2, len(paths), squeeze=False, height_ratios=(3, 2))
    figure.suptitle(
        "from the dot to the star, the lowest point, each optimizer at its best rate; dark is high"
    )
    for (name, walks), (above, below) in zip(paths.items(), axes.T, strict=True):
        _draw_surface(above, name, walks)
        for label, points in walks.items():
            below.plot(SURFACES[name].height(jnp.asarray(points)), label=label, linewidth=1)
        below.set(xlabel="step", ylabel="height", yscale="log")
        below.set_ylim(bottom=max(below.get_ylim()[0], 1e-12))  # beyond it is rounding
        below.legend(fontsize="x-small", ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.25))
    return figure


def animate(paths: Paths, frames: int = 40) -> Any:
    """The paths growing over the contours, the first steps more slowly than the last.

    Frame k shows the steps up to `(k / frames)² · steps`.
    """
    from matplotlib.animation import FuncAnimation
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(paths), 3.6), layout="constrained")
    axes = figure.subplots(1, len(paths), squeeze=False)[0]
    lines: list[Any] = []
    walked: list[np.ndarray] = []
    for (name, walks), axis in zip(paths.items(), axes, strict=True):
        lines += _draw_surface(axis, name, walks)
        walked += walks.values()
    names = [label.partition(",")[0] for label in walks]
    axes[-1].legend(lines[-len(names) :], names, fontsize="x-small")
    figure.draw_without_rendering()
    figure.set_layout_engine(None)  # laid out once, and not again for every frame

    def show(last: int) -> list[Any]:
        for line, points in zip(lines, walked, strict=True):
            line.set_data(*points[: last + 1].T)
        return lines

    steps = max(len(points) for points in walked) - 1
    shown = sorted({math.ceil((frame / frames) ** 2 * steps) for frame in range(frames + 1)})
    return FuncAnimation(figure, show, frames=shown, interval=80)


def _draw_surface(axis: Any, name: str, walks: Mapping[str, np.ndarray]) -> list[Any]:
    """The surface from above with the paths on it; returns their lines."""
    surface = SURFACES[name]
    left, right, bottom, top = surface.window
    x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(bottom, top, 200))
    # In logarithm, or the walls would hide the valley floor.
    heights = np.log10(surface.height(jnp.asarray(np.stack([x, y], axis=-1))) + 1e-2)
    axis.imshow(heights, "Greys", aspect="auto", alpha=0.7, origin="lower", extent=surface.window)
    axis.contour(x, y, heights, levels=12, colors="white", linewidths=0.4)
    axis.plot(*surface.start, "k.", markersize=8)
    axis.plot(*surface.minimum, "k*", markersize=12)
    lines = [axis.plot(*points.T, linewidth=1.2)[0] for points in walks.values()]
    axis.set(title=name, xlabel="x", ylabel="y", xlim=(left, right), ylim=(bottom, top))
    return lines
