"""Attributions over images, and deletion curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures
from dlcourse.analysis.measure.deletion import DeletionCurve


def draw_attributions(
    images: Float[np.ndarray, "n height width channels"],
    attributions: Float[np.ndarray, "n outputs height width channels"],
    titles: Sequence[str],
    outputs: Sequence[str],
    caption: str,
) -> Any:
    """One row per image, one column per output: evidence for the output red, against it blue.

    Each row has one colour scale, so that columns compare. The image lies faintly beneath.

    Args:
        images: in [0, 1].
        attributions: of each image for several outputs, or by several methods.
        titles: the label of each row.
        outputs: the title of each column.
        caption: the title of the figure.
    """
    rows, columns = attributions.shape[:2]
    size = min(1.0, 12 / (columns + 1))
    figure, panels = figures.new(rows, columns + 1, width=size, height=size, grid=False)
    figure.set_size_inches(size * (columns + 1) + 0.6, size * rows + 0.9)
    figures.title(figure, caption)
    for row, title in enumerate(titles):
        grey = images[row].mean(-1)
        values = attributions[row].sum(-1)
        figures.image(panels[row, 0], images[row], "gray_r")
        panels[row, 0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9)
        limit = float(np.abs(values).max())
        for column in range(columns):
            panel = panels[row, column + 1]
            figures.image(panel, grey, "gray_r", 0, 3)
            figures.signed_image(panel, values[column], limit, alpha=0.75)
            if row == 0:
                figures.title(panel, outputs[column], size=9)
    return figure


def draw_deletion(curves: Mapping[str, DeletionCurve], output: str = "output") -> Any:
    """The deletion curve of each method, averaged over the examples, and its area.

    Args:
        curves: by name of the method.
        output: the name of the model's output.
    """
    figure, ((panel,),) = figures.new(width=6.0, height=3.8)
    for (name, curve), look in zip(curves.items(), figures.looks(curves).values(), strict=True):
        label = f"{name}, area {curve.area.mean():.3f}"
        figures.line(panel, 100 * curve.share, curve.outputs.mean(0), look, label)
    panel.set_xlabel("inputs removed, the most important first (%)")
    panel.set_ylabel(f"{output},\nmean over examples")
    figures.legend(panel)
    return figure
