"""The activations drawn: values and slopes."""

from typing import Any

import jax
import numpy as np

from dlcourse.models.foundations.activations import ACTIVATIONS


def draw_activations() -> Any:
    """All nine, each with its derivative.

    Softmax has as many inputs as outputs; drawn is the first of three outputs as its own input
    moves and the other two stay at 0.
    """
    from matplotlib.figure import Figure

    z = np.linspace(-4.0, 4.0, 401, dtype=np.float32)
    figure = Figure(figsize=(9, 8), layout="constrained")
    panels = figure.subplots(3, 3, sharex=True).ravel()
    for panel, (name, (function, derivative)) in zip(panels, ACTIVATIONS.items(), strict=True):
        if name == "softmax":
            inputs = np.stack([z, 0 * z, 0 * z], axis=-1)
            value, slope = function(inputs)[:, 0], derivative(inputs)[:, 0, 0]
        else:
            value, slope = np.array(function(z)), np.array(jax.vmap(derivative)(z))
            for curve in (value, slope):
                curve[np.abs(np.diff(curve, prepend=curve[0])) > 0.5] = np.nan  # a jump, not a line
        panel.plot(z, value, label="g(z)")
        panel.plot(z, slope, "--", label="g'(z)")
        panel.axhline(0, color="black", linewidth=0.5)
        panel.axvline(0, color="black", linewidth=0.5)
        low, high = min(-0.3, *np.nan_to_num(value)), max(1.2, *np.nan_to_num(value))
        title = "softmax, 1st of 3" if name == "softmax" else name.replace("_", " ")
        panel.set(title=title, ylim=(max(low, -2) - 0.1, min(high, 2) + 0.1))
        panel.grid(alpha=0.3)
    panels[0].legend()
    for panel in panels[-3:]:
        panel.set_xlabel("z")
    return figure
