"""The only place that saves figures."""

import pathlib
import sys
from typing import Any

DPI = 120  # of saved figures


def save(figure: Any, path: pathlib.Path) -> pathlib.Path:
    """Writes a figure as PNG or an animation as GIF, and empties it to free its memory.

    Args:
        figure: of matplotlib, or an animation.
        path: without an ending; its folder is made if missing.

    Returns:
        The path with its ending.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if hasattr(figure, "savefig"):
        path = path.with_name(f"{path.name}.png")
        figure.savefig(path, dpi=DPI)
    else:
        path = path.with_name(f"{path.name}.gif")
        figure.save(path, writer="pillow")
        figure = figure._fig  # matplotlib has no public name for it
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)
    figure.clear()
    return path
