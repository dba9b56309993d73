"""Accuracy under attack, and attacked images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures


def draw_robustness(curves: Mapping[str, Mapping[str, tuple[Any, Any]]]) -> Any:
    """Accuracy against epsilon, one panel per norm.

    Args:
        curves: by panel title and name of the line, `(epsilons, accuracies)`.
    """
    figure, (panels,) = figures.new(1, len(curves), width=4.4, height=3.6, sharey=True)
    looks = figures.looks(name for lines in curves.values() for name in lines)
    for panel, (title, lines) in zip(panels, curves.items(), strict=True):
        for name, (epsilons, accuracies) in lines.items():
            figures.line(panel, epsilons, 100 * np.asarray(accuracies), looks[name], name)
        figures.title(panel, title)
        panel.set_xlabel("ε")
        panel.set_ylim(-3, 103)
    panels[0].set_ylabel("accuracy under attack (%)")
    if len({tuple(lines) for lines in curves.values()}) == 1:
        figures.legend_beside(figure, panels[0], place="below")
    else:
        figures.legend(*panels)
    return figure


def draw_attacked(
    images: Float[np.ndarray, "epsilons n height width channels"],
    predictions: Sequence[Sequence[str]],
    labels: Sequence[str],
    epsilons: Sequence[float] | np.ndarray,
) -> Any:
    """Attacked images with their predicted classes, one row per image, one column per epsilon.

    Args:
        images: the attacked images, in [0, 1].
        predictions: the predicted classes by name, `[epsilons][n]`; wrong ones are red.
        labels: the true classes by name.
        epsilons: the radii of the attacks.
    """
    columns, rows = images.shape[:2]
    figure, panels = figures.new(rows, columns, width=1.1, height=1.3, grid=False)
    figure.set_figheight(figure.get_figheight() + 0.4)
    figures.title(figure, "attacked images and their predicted classes, at each ε", size=9)
    for column, epsilon in enumerate(epsilons):
        for row, label in enumerate(labels):
            panel, guess = panels[row, column], predictions[column][row]
            figures.image(panel, images[column, row])
            panel.axis("off")
            panel.set_title(guess, fontsize=8, color="black" if guess == label else "red")
        panels[0, column].annotate(
            f"ε = {epsilon:.3g}", (0.5, 1), xytext=(0, 20), xycoords="axes fraction",
            textcoords="offset points", ha="center", fontsize=8,
        )  # fmt: skip
    return figure
