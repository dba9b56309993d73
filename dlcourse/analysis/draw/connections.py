"""The connections of a multi-layer perceptron: every weight a line, for one image."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from dlcourse import figures

MOST_NAMED = 20  # classes; of more, the most probable are named


class Connections(NamedTuple):
    """The weights of a multi-layer perceptron and the activity of its units for one image.

    Attributes:
        image: the input, `[height, width, channels]`.
        kernels: the weights of each layer, `[inputs, outputs]`.
        activations: the units of each layer, from the pixels to the class probabilities.
    """

    image: np.ndarray
    kernels: list[np.ndarray]
    activations: list[np.ndarray]


def line_colors(
    kernel: Float[np.ndarray, "inputs outputs"], before: Float[np.ndarray, " inputs"]
) -> Float[np.ndarray, "inputs outputs rgba"]:
    """The colour of each weight's line: red if positive, blue if negative, with opacity

        |w_jk| / max |w| · |a_j| / max |a|

    where a_j is the activity of the unit before. A weight shows only where its unit is active.
    """
    from matplotlib.colors import to_rgb

    share = np.abs(kernel) / max(np.abs(kernel).max(), 1e-12)
    active = np.abs(before) / max(np.abs(before).max(), 1e-12)
    hues = to_rgb(figures.POSITIVE), to_rgb(figures.NEGATIVE)
    hue = np.where((kernel > 0)[..., None], *hues)
    return np.concatenate([hue, (share * active[:, None])[..., None]], axis=-1)


def draw_connections(networks: Mapping[str, Connections], classes: Sequence[str]) -> Any:
    """One network below the other, as deck 003 draws them: image, units in columns, lines between.

    Args:
        networks: by title.
        classes: the names of the outputs.
    """
    figure, panels = figures.new(len(networks), 1, width=10, height=5.2, grid=False)
    for panel, (title, each) in zip(panels[:, 0], networks.items(), strict=True):
        _draw(panel, each, classes)
        figures.title(panel, title)
    figure.supxlabel(
        "a line is a weight: red above 0, blue below; faint if the weight is small or the unit "
        "before is inactive",
        fontsize=9,
    )
    return figure


def _draw(panel: Any, network: Connections, classes: Sequence[str]) -> None:
    from matplotlib.collections import LineCollection

    columns = [np.linspace(1, -1, len(units)) for units in network.activations]
    layers = zip(network.kernels, network.activations[:-1], strict=True)
    for place, (kernel, before) in enumerate(layers):
        colors = line_colors(kernel, before).reshape(-1, 4)
        left = np.repeat(columns[place], kernel.shape[1])
        right = np.tile(columns[place + 1], kernel.shape[0])
        ends = [
            np.stack([np.full_like(y, x), y], -1) for x, y in ((place, left), (place + 1, right))
        ]
        order = np.argsort(colors[:, 3])
        order = order[colors[order, 3] > 0.01]  # invisible lines need not be drawn
        lines = np.stack(ends, axis=1)[order]
        width = min(1.0, np.sqrt(600 / len(colors)))  # many lines are thinner
        panel.add_collection(
            LineCollection(lines, colors=colors[order], linewidths=width, zorder=1)
        )
    for place, (heights, units) in enumerate(zip(columns, network.activations, strict=True)):
        shade = np.abs(units) / max(np.abs(units).max(), 1e-12)
        size = min(120.0, 2500.0 / len(units))
        panel.scatter(
            np.full(len(units), place), heights, size, shade, cmap="Greys", vmin=0, vmax=1,
            edgecolors="black", linewidths=0.5 if size > 8 else 0.1, zorder=2,
        )  # fmt: skip
    probabilities = network.activations[-1]
    named = np.argsort(-probabilities)[: MOST_NAMED if len(classes) <= MOST_NAMED else 5]
    for number in np.sort(named):
        panel.text(
            place + 0.08, columns[-1][number], f"{classes[number]}   {probabilities[number]:.2f}",
            va="center", fontsize=9,
            fontweight="bold" if number == probabilities.argmax() else "normal",
        )  # fmt: skip
    figures.image(
        panel.inset_axes((-0.02, 0.3, 0.2, 0.4)), network.image,
        "gray_r" if network.image.shape[-1] == 1 else None, None, None,
    )  # fmt: skip
    counts = [f"{len(units)} units" for units in network.activations]
    counts[0] = f"{len(network.activations[0])} pixels"
    for x, text in enumerate(counts):
        panel.text(x, -1.12, text, ha="center", va="top", fontsize=9)
    panel.set(xlim=(-1.0, place + 0.6), ylim=(-1.25, 1.05))
    panel.axis("off")
