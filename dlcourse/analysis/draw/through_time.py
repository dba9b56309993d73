"""How gradients shrink or grow on their way back through a recurrent network."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcourse import figures


def draw_through_time(columns: Mapping[str, Mapping[str, np.ndarray]]) -> Any:
    """One panel per column, one line per network: the gradient against the distance to the loss.

    Args:
        columns: by title and name, `gradient_through_time`, `[time]`.
    """
    figure, panels = figures.new(1, len(columns), width=4.4, height=3.6)
    for panel, (title, norms) in zip(panels[0], columns.items(), strict=True):
        looks = figures.looks(norms)
        for name, norm in norms.items():
            back = np.arange(len(norm) - 1, -1, -1)
            figures.line(panel, back[::-1], norm[::-1], looks[name], name)
        panel.set_yscale("log")
        panel.set(xlabel="steps before the loss")
        figures.title(panel, title)
        figures.legend(panel)
    panels[0][0].set_ylabel("norm of the gradient,\nrelative to the last step")
    return figure
