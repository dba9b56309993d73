"""What classifiers say of single texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures


def draw_probabilities(
    texts: Sequence[str], found: Mapping[str, Float[np.ndarray, " texts"]], quantity: str
) -> Any:
    """One line per text, from 0 to 1, with a point for each classifier.

    Args:
        texts: from top to bottom.
        found: by classifier, the probability of each text.
        quantity: its name.
    """
    figure, ((panel,),) = figures.new(width=7.0, height=1.4 + 0.42 * len(texts))
    places = np.arange(len(texts))[::-1]
    offsets = np.linspace(0.15, -0.15, len(found)) if len(found) > 1 else [0.0]
    for (name, values), look, offset in zip(
        found.items(), figures.looks(found).values(), offsets, strict=True
    ):
        panel.plot(values, places + offset, "o", color=look.color, markersize=6, label=name)
    panel.axvline(0.5, color="gray", linestyle="--", linewidth=1.0)
    panel.set_yticks(places, [figures.wrapped(text, 3.0, 8) for text in texts], fontsize=8)
    panel.set(xlim=(-0.03, 1.03), ylim=(-0.6, len(texts) - 0.4), xlabel=quantity)
    figures.legend_beside(figure, panel, place="below")
    return figure
