"""Normalizing flows: points, sets and densities carried from data to latents and back."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from dlcourse import figures

TOP, HEIGHT = 1.0, 0.7  # of the data's axis over the latents', and of the highest density
BANDS = 6  # sets of equal probability


class Carried(NamedTuple):
    """What a flow of points in the plane does, on a grid and on points.

    Attributes:
        points, latents: the data x, and F(x).
        density: on the grid, `[rows, columns]`.
        seeds, samples: latents z, and F⁻¹(z).
    """

    points: Float[np.ndarray, "points 2"]
    latents: Float[np.ndarray, "points 2"]
    density: Float[np.ndarray, "rows columns"]
    seeds: Float[np.ndarray, "samples 2"]
    samples: Float[np.ndarray, "samples 2"]


def draw_flow_1d(
    points: tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]],
    samples: tuple[Float[np.ndarray, " samples"], Float[np.ndarray, " samples"]],
    x: Float[np.ndarray, " grid"],
    densities: Mapping[str, Float[np.ndarray, " grid"]],
) -> Any:
    """Both directions in a row each: point to point on the left, density to density on the right.

    The data's axis is above, with its densities upwards; the latents' axis is below, with theirs
    downwards. Sets of one colour have the same probability.

    Args:
        points: data x, and their latents F(x): the normalizing direction.
        samples: x = F⁻¹(z), and the latents z: the generative direction.
        x: a grid.
        densities: of x on the grid, by name.
    """
    figure, panels = figures.new(2, 2, width=5.2, height=3.9, grid=False)
    titles = ("normalizing direction: z = F(x)", "generative direction: x = F⁻¹(z)")
    z = np.linspace(-4, 4, 401)
    normal = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    scale = HEIGHT / max(density.max() for density in densities.values())
    for row, (above, below), title in zip(panels, (points, samples), titles, strict=True):
        for panel, draw, kind in zip(row, (_lines, _bands), ("points", "densities"), strict=True):
            for (name, density), look in zip(
                densities.items(), figures.looks(densities).values(), strict=True
            ):
                panel.plot(x, TOP + scale * density, look.dash, color=look.color, label=name)
            panel.plot(z, -scale * normal, color="black", label="N(0, 1)")
            draw(panel, above, below, scale)
            panel.axhline(TOP, color="black", linewidth=0.8)
            panel.axhline(0.0, color="black", linewidth=0.8)
            panel.set_yticks([0.0, TOP], ["z", "x"])
            panel.set_xlim(x[0], x[-1])
            figures.title(panel, f"{title}, {kind}")
    figures.legend(*panels[0])
    return figure


def _lines(panel: Any, above: np.ndarray, below: np.ndarray, scale: float) -> None:
    """Histograms of all points, and lines between some."""
    for values, base, sign in ((above, TOP, 1), (below, 0.0, -1)):
        heights, edges = np.histogram(values, bins=60, density=True)
        panel.bar(
            edges[:-1], sign * scale * heights, np.diff(edges), base, align="edge",
            color="0.8", zorder=0,
        )  # fmt: skip
    order = np.argsort(above)[:: max(1, len(above) // 40)]
    panel.plot(
        np.stack([above[order], below[order]]), [TOP, 0.0],
        color=figures.COLORS[0], linewidth=0.7, alpha=0.8, marker=".", markersize=3,
    )  # fmt: skip


def _bands(panel: Any, above: np.ndarray, below: np.ndarray, scale: float) -> None:
    """Sets of equal probability under both histograms, joined by bands."""
    cuts = np.linspace(0, 1, BANDS + 1)
    ends = [np.quantile(values, cuts) for values in (above, below)]
    for i, color in enumerate(figures.COLORS[:BANDS]):
        (a, b), (c, d) = (end[i : i + 2] for end in ends)
        panel.fill([a, b, d, c], [TOP, TOP, 0, 0], color=color, alpha=0.25, linewidth=0)
        for values, (low, high), base, sign in ((above, (a, b), TOP, 1), (below, (c, d), 0, -1)):
            heights, edges = np.histogram(values, bins=np.linspace(-5, 5, 101), density=True)
            middle = (edges[1:] + edges[:-1]) / 2
            inside = (middle >= low) & (middle <= high)
            panel.bar(
                middle[inside], sign * scale * heights[inside], 0.1, base, color=color, alpha=0.55
            )


def draw_flow_2d(
    flows: Mapping[str, Carried], axis: Float[np.ndarray, " grid"], levels: Sequence[str] = ()
) -> Any:
    """A row for each flow: data, latents, density and samples.

    A point has the colour of its latent's angle, so that colours show where the flow carries it.

    Args:
        flows: by name.
        axis: of the grid, in both directions.
        levels: a line below the name of each flow, such as its likelihood.
    """
    figure, panels = figures.new(len(flows), 4, width=3.0, height=3.1, grid=False)
    notes = [*levels, *[""] * len(flows)]
    for row, (name, flow), note in zip(panels, flows.items(), notes, strict=False):
        pairs = ((flow.points, flow.latents), (flow.latents, flow.latents),
                 (flow.samples, flow.seeds))  # fmt: skip
        for panel, (place, latent) in zip((row[0], row[1], row[3]), pairs, strict=True):
            angle = np.arctan2(latent[:, 1], latent[:, 0])
            panel.scatter(*place.T, s=3, c=angle, cmap="hsv", linewidths=0)
        box = (axis[0], axis[-1], axis[0], axis[-1])
        row[2].imshow(flow.density, origin="lower", extent=box, cmap="magma", vmin=0)
        titles = ("data x", "latents z = F(x)", "density p(x)", "samples F⁻¹(z)")
        for panel, title in zip(row, titles, strict=True):
            panel.set(xlim=axis[[0, -1]], ylim=axis[[0, -1]], aspect="equal")
            figures.title(panel, title)
        row[1].set(xlim=(-4, 4), ylim=(-4, 4))
        row[0].set_ylabel(f"{name}\n{note}" if note else name)
    return figure
