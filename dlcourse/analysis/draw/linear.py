"""The weights of a linear classifier: compared with another solution, or as images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures

MOST_CLASSES = 30  # drawn as images


def draw_agreement(
    ours: Float[np.ndarray, " weights"],
    theirs: Float[np.ndarray, " weights"],
    names: Sequence[str],
    source: str,
    positive: str,
) -> Any:
    """Two solutions of one problem: each weight of the first as a bar, of the second as a dot.

    Args:
        ours, theirs: the weights, in the order of `names`.
        names: the features that the weights multiply.
        source: the name of the second solution.
        positive: the class with a positive score.
    """
    order = np.argsort(ours)
    figure, ((panel,),) = figures.new(width=7, height=1.3 + 0.2 * len(names))
    places = np.arange(len(names))
    colors = np.where(ours[order] > 0, figures.POSITIVE, figures.NEGATIVE)
    bars = panel.barh(places, ours[order], color=colors.tolist(), alpha=0.6)
    (dots,) = panel.plot(theirs[order], places, "k.")
    panel.set_yticks(places, [names[i] for i in order], fontsize=8)
    panel.axvline(0, color="black", linewidth=0.5)
    panel.set_xlabel(f"weight; positive weights are evidence for {positive}")
    figures.title(panel, f"largest difference of a weight: {np.max(np.abs(ours - theirs)):.1g}")
    panel.margins(y=0.01)
    # The smallest weights are at the bottom left, the largest at the top right.
    panel.legend([bars, dots], ["gradient descent by hand", source], fontsize=8, loc="upper left")
    return figure


def draw_templates(
    weights: Float[np.ndarray, "height width classes"], classes: Sequence[str]
) -> Any:
    """The weights of each class as an image: red pixels are evidence for the class, blue against.

    Of more than 30 classes, the first 30 are drawn.

    Args:
        weights: of every pixel and class.
        classes: their names.
    """
    shown = classes[:MOST_CLASSES]
    rows = -(-len(shown) // 5)
    figure, panels = figures.new(rows, 5, width=1.6, height=1.8, grid=False)
    limit = float(np.abs(weights).max())
    for panel in panels.flat:
        panel.axis("off")
    for panel, image, name in zip(panels.flat, np.moveaxis(weights, -1, 0), shown, strict=False):
        drawn = figures.signed_image(panel, image, limit)
        figures.title(panel, name)
    if len(shown) < len(classes):
        figures.title(figure, f"the first {len(shown)} of {len(classes)} classes")
    figure.colorbar(drawn, ax=panels, label="weight")
    return figure
