"""The only place that saves figures."""

import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

DPI = 120  # of saved figures


def save(figure: Any, path: pathlib.Path) -> pathlib.Path:
    """Writes a figure as PNG, an animation as GIF, a text as TXT or arrays by name as NPZ.

    Figures are emptied to free their memory.

    Args:
        figure: of matplotlib, an animation, a text, or a mapping of arrays.
        path: without an ending; its folder is made if missing.

    Returns:
        The path with its ending.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(figure, str):
        path = path.with_name(f"{path.name}.txt")
        path.write_text(figure, encoding="utf-8")
        return path
    if isinstance(figure, Mapping):
        path = path.with_name(f"{path.name}.npz")
        np.savez_compressed(path, **figure)
        return path
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
