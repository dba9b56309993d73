"""Filters given and learned, and the response of the learned ones to a picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures


def draw_filters(
    picture: Float[np.ndarray, "height width"],
    given: Float[np.ndarray, "f g 1 filters"],
    learned: Float[np.ndarray, "f g 1 filters"],
    answers: Float[np.ndarray, "rows columns filters"],
    names: Sequence[str],
) -> Any:
    """One row per filter: the picture, the filter's response, the filter given and learned.

    Signed values are red above 0 and blue below.

    Args:
        picture: in grey.
        given: the filters that made the targets.
        learned: the filters found by regression on the targets.
        answers: the responses of the learned filters.
        names: one per filter.
    """
    figure, panels = figures.new(
        len(names), 4, width=2.3, height=1.9, grid=False, width_ratios=(1.5, 1.5, 1, 1)
    )
    for row, (line, name) in enumerate(zip(panels, names, strict=True)):
        figures.image(line[0], picture, low=None, high=None)
        response = _halved(answers[..., row])
        limit = float(np.percentile(np.abs(response), 99))
        figures.signed_image(line[1], response, limit, interpolation="nearest")
        line[1].set_ylabel(name, fontsize=9)
        most = float(np.abs([given[..., 0, row], learned[..., 0, row]]).max())
        for panel, kernel in zip(line[2:], (given, learned), strict=True):
            _draw_kernel(panel, kernel[..., 0, row], most)
    titles = ("photograph", "response of the learned filter", "filter given", "filter learned")
    for panel, title in zip(panels[0], titles, strict=True):
        figures.title(panel, title, size=9)
    return figure


def _halved(values: Float[np.ndarray, "rows columns"]) -> np.ndarray:
    """The means of blocks of 2x2, near the size of the panel: matplotlib would average colours."""
    rows, columns = (size // 2 for size in values.shape)
    return values[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3))


def _draw_kernel(panel: Any, kernel: Float[np.ndarray, "f g"], most: float) -> None:
    figures.signed_image(panel, kernel, 1.6 * most)  # light enough for the numbers
    for (row, column), weight in np.ndenumerate(kernel):
        shown = round(float(weight), 2) + 0.0  # no minus before a zero
        panel.text(column, row, f"{shown:.2f}", ha="center", va="center", fontsize=8)
