"""Filters beside what they answer on a picture: those that were given, those that were learned."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float


def draw_filters(
    picture: Float[np.ndarray, "height width"],
    given: Float[np.ndarray, "f g 1 filters"],
    learned: Float[np.ndarray, "f g 1 filters"],
    answers: Float[np.ndarray, "rows columns filters"],
    names: Sequence[str],
) -> Any:
    """A row a filter: what it answers on the picture, as it was given, and as it was learned.

    Arguments:
        picture: in grey.
        given: the filters that made the targets.
        learned: the filters that were found by regression on the targets.
        answers: of the learned filters.
        names: one a filter.
    """
    from matplotlib.figure import Figure

    rows = len(names)
    figure = Figure(figsize=(9, 1.9 * rows), layout="constrained")
    panels = figure.subplots(rows, 4, squeeze=False, width_ratios=(1.5, 1.5, 1, 1))
    for row, (line, name) in enumerate(zip(panels, names, strict=True)):
        line[0].imshow(picture, cmap="gray")
        most = np.percentile(np.abs(answers[..., row]), 99)
        line[1].imshow(answers[..., row], cmap="gray", vmin=-most, vmax=most)
        line[1].set_ylabel(name, fontsize=9)
        for panel, kernel in zip(line[2:], (given, learned), strict=True):
            _draw_kernel(panel, kernel[..., 0, row], float(np.abs(given[..., 0, row]).max()))
        for panel in line:
            panel.set(xticks=[], yticks=[])
    for panel, title in zip(
        panels[0],
        ("photograph", "answer of the learned filter", "filter given", "filter learned"),
        strict=True,
    ):
        panel.set_title(title, fontsize=9)
    return figure


def _draw_kernel(panel: Any, kernel: Float[np.ndarray, "f g"], most: float) -> None:
    panel.imshow(kernel, cmap="bwr_r", vmin=-1.6 * most, vmax=1.6 * most)
    for (row, column), weight in np.ndenumerate(kernel):
        shown = round(float(weight), 2) + 0.0  # no minus before a zero
        panel.text(column, row, f"{shown:.2f}", ha="center", va="center", fontsize=8)
