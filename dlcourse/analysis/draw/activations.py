"""The activation functions: values and derivatives."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures

Curve = tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]


def draw_activations(z: Float[np.ndarray, " points"], curves: Mapping[str, Curve]) -> Any:
    """One panel for each activation function g, with its derivative.

    Args:
        z: the inputs.
        curves: values and derivatives at z by name, as `activation_curves` measures them.
    """
    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure, panels = figures.new(rows, columns, width=3.0, height=2.7, sharex=True)
    value_look, slope_look = figures.looks(["g", "g'"]).values()
    for panel, (name, (value, slope)) in zip(panels.flat, curves.items(), strict=False):
        panel.axhline(0, color="black", linewidth=0.5)
        panel.axvline(0, color="black", linewidth=0.5)
        figures.line(panel, z, value, value_look, "g(z)", marker="")
        figures.line(panel, z, slope, slope_look, "g'(z)", marker="")
        low, high = min(-0.3, np.nanmin(value)), max(1.2, np.nanmax(value))
        panel.set_ylim(max(low, -2) - 0.1, min(high, 2) + 0.1)
        figures.title(panel, "softmax, 1st of 3" if name == "softmax" else name.replace("_", " "))
    for panel in panels.flat[len(curves) :]:
        panel.set_visible(False)
    for panel in panels.flat[max(0, len(curves) - columns) : len(curves)]:
        panel.tick_params(labelbottom=True)
        panel.set_xlabel("z")
    figures.legend_beside(figure, panels[0, 0], place="below")
    return figure
