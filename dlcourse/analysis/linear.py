"""The weights of a linear classifier: beside another's, or as the pictures they look for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float


def draw_agreement(
    ours: Float[np.ndarray, " weights"],
    theirs: Float[np.ndarray, " weights"],
    names: Sequence[str],
    source: str,
) -> Any:
    """Two solutions of one problem: every weight as a bar and, beside it, the other's as a dot.

    Args:
        ours, theirs: the weights, in the order of `names`.
        names: what each weight multiplies.
        source: whose the other solution is.
    """
    from matplotlib.figure import Figure

    order = np.argsort(ours)
    figure = Figure(figsize=(7, 1.2 + 0.2 * len(names)), layout="constrained")
    panel = figure.subplots()
    places = np.arange(len(names))
    colors = np.where(ours[order] > 0, "tab:red", "tab:blue")
    panel.barh(places, ours[order], color=colors, alpha=0.5, label="gradient descent by hand")
    panel.plot(theirs[order], places, "k.", label=source)
    panel.set_yticks(places, [names[i] for i in order], fontsize=8)
    panel.axvline(0, color="black", linewidth=0.5)
    furthest = np.max(np.abs(ours - theirs))
    panel.set(xlabel="weight", title=f"no weight differs by more than {furthest:.1g}")
    panel.margins(y=0.01)
    panel.legend(fontsize=8)
    return figure


def draw_templates(
    weights: Float[np.ndarray, "height width classes"], classes: Sequence[str]
) -> Any:
    """The weights of each class as an image: red pixels speak for the class, blue against it."""
    from matplotlib.figure import Figure

    lines = -(-len(classes) // 5)
    figure = Figure(figsize=(8, 1.8 * lines), layout="constrained")
    limit = np.abs(weights).max()
    panels = figure.subplots(lines, 5, squeeze=False).ravel()
    for panel in panels:
        panel.axis("off")
    for panel, image, name in zip(panels, np.moveaxis(weights, -1, 0), classes, strict=False):
        drawn = panel.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit)
        panel.set_title(name)
    figure.colorbar(drawn, ax=panels, label="weight")
    return figure
