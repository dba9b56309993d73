"""Figures, panels, and titles that fit them."""

import functools
import re
from typing import Any

import numpy as np

Number = int | float

SPACE = 0.4  # width of a space between words, in font sizes, with the margins of the words


def new(
    rows: int = 1,
    columns: int = 1,
    *,
    width: Number = 4.2,
    height: Number = 3.2,
    grid: bool = True,
    **subplots: Any,
) -> tuple[Any, np.ndarray]:
    """A figure and its panels `[rows, columns]`.

    Args:
        rows, columns: of panels.
        width, height: of a panel with its labels, in inches.
        grid: whether panels have grid lines; False for images.
        subplots: options of `matplotlib.figure.Figure.subplots`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, **subplots)
    for panel in panels.flat:
        style(panel, grid=grid)
    return figure, panels


def style(panel: Any, *, grid: bool = True) -> None:
    """The tick labels and grid lines of the house, for a panel that `new` did not make."""
    panel.tick_params(labelsize=8)
    if grid:
        panel.grid(alpha=0.3)
        panel.set_axisbelow(True)


def title(target: Any, text: str, *, size: Number = 10) -> None:
    """Sets the title of a figure or a panel, wrapped to its width.

    Args:
        target: a figure or a panel.
        text: lines that are too long are broken between words.
        size: of the font, in points.
    """
    if hasattr(target, "suptitle"):
        target.suptitle(wrapped(text, 0.96 * target.get_figwidth(), size), fontsize=size)
    else:
        # Before layout a panel has a margin on each side, which its title may use.
        inches = 1.15 * target.get_position().width * target.get_figure().get_figwidth()
        target.set_title(wrapped(text, inches, size), fontsize=size)


def wrapped(text: str, inches: Number, size: Number) -> str:
    """The text with line breaks between words, so that no line is wider than `inches`.

    Formulas between dollar signs are not broken.
    """
    lines = []
    for line in text.split("\n"):
        current, width = "", 0.0
        for word in re.findall(r"(?:\$[^$]*\$|\S)+", line):
            more = text_width(word, size)
            if current and width + SPACE * size / 72 + more > inches:
                lines.append(current)
                current, width = word, more
            else:
                width += more + (SPACE * size / 72 if current else 0.0)
                current = f"{current} {word}" if current else word
        lines.append(current)
    return "\n".join(lines)


@functools.lru_cache(maxsize=4096)
def text_width(text: str, size: Number) -> float:
    """The width in inches of text in a font of this size in points."""
    from matplotlib.textpath import TextPath

    return (
        float(TextPath((0, 0), text, size=size).get_extents().width) / 72 if text.strip() else 0.0
    )
