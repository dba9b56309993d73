"""Segmentation masks over their images, and the score of each class."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from dlcourse import figures

MOST_CLASSES = 30  # of which scores are drawn

# Without grey, in which the image under the masks is drawn.
SHADES = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf",
    "gold", "lime", "navy", "#aec7e8", "#ffbb78", "#98df8a", "#ff9896", "#c5b0d5", "#c49c94",
    "#f7b6d2", "#9edae5", "olive", "maroon", "darkgreen", "indigo", "teal",
)  # fmt: skip


def draw_masks(
    images: Float[np.ndarray, "n height width channels"],
    masks: Mapping[str, Int[np.ndarray, "n height width"]],
    classes: Sequence[str],
) -> Any:
    """Masks over their images: one row per image, one column per mask.

    The class `background` and labels that are not a class are left clear. The legend names the
    classes that occur.

    Args:
        images: in [0, 1].
        masks: by title, the true and the predicted ones.
        classes: their names.
    """
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Patch

    height, width = images.shape[1:3]
    tall = 1.7 * min(1.0, height / width) + 0.1
    figure, panels = figures.new(len(images), 1 + len(masks), width=1.7, height=tall, grid=False)
    figure.set_size_inches(figure.get_figwidth() + 1.5, figure.get_figheight() + 0.3)
    shades = np.array([to_rgba(SHADES[c % len(SHADES)], 0.75) for c in range(len(classes))])
    shades[[c for c, name in enumerate(classes) if name == "background"], 3] = 0
    shades = np.concatenate([shades, np.zeros((1, 4))])  # the last one is for no class
    for row, line in enumerate(panels):
        figures.image(line[0], images[row])
        for panel, mask in zip(line[1:], masks.values(), strict=True):
            # The image is in grey, so that every colour is that of a class.
            figures.image(panel, images[row].mean(-1))
            known = (mask[row] >= 0) & (mask[row] < len(classes))
            panel.imshow(shades[np.where(known, mask[row], -1)], interpolation="nearest")
        for panel in line:
            panel.axis("off")
    for panel, title in zip(panels[0], ("image", *masks), strict=True):
        figures.title(panel, title, size=9)
    seen = np.unique(np.concatenate([np.ravel(mask) for mask in masks.values()]))
    patches = [
        Patch(color=shades[c], label=name)
        for c, name in enumerate(classes)
        if c in seen and shades[c, 3]
    ]
    figure.legend(handles=patches, loc="outside right center", fontsize=8)
    return figure


def draw_class_iou(scores: Mapping[str, Mapping[str, np.ndarray]]) -> Any:
    """The intersection over union of each class as bars, one colour per model.

    Of more than 30 classes, the 30 with the lowest mean score are drawn.

    Args:
        scores: by model and class, one value per seed; nan for a class that does not occur.
    """
    classes = list(next(iter(scores.values())))
    text = "intersection over union of each class, mean ± std over seeds"
    if len(classes) > MOST_CLASSES:
        worst = sorted(classes, key=lambda name: _mean([by[name] for by in scores.values()]))
        worst = worst[:MOST_CLASSES]
        text += f"; the {MOST_CLASSES} lowest of {len(classes)} classes"
        classes = [name for name in classes if name in worst]
    figure, ((panel,),) = figures.new(width=max(4.5, 1.5 + 0.65 * len(classes)), height=3.6)
    width = 0.8 / len(scores)
    for number, (model, look) in enumerate(figures.looks(scores).items()):
        values = np.array([scores[model][name] for name in classes])
        places = np.arange(len(classes)) + (number + 0.5) * width - 0.4
        spread = values.std(1, ddof=1) if values.shape[1] > 1 else None
        panel.bar(
            places, values.mean(1), width, yerr=spread, label=model, color=look.color,
            error_kw={"lw": 0.8},
        )  # fmt: skip
    long = sum(map(len, classes)) > 4 * len(classes)
    turned: dict[str, Any] = (
        {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if long else {}
    )
    panel.set_xticks(range(len(classes)), classes, **turned)
    panel.set_ylabel("intersection over union")
    panel.set_ylim(bottom=0)
    panel.grid(axis="x", visible=False)
    figures.title(panel, text)
    figures.legend_beside(figure, panel, place="below")
    return figure


def _mean(scores: Sequence[np.ndarray]) -> float:
    """The mean of the known scores of a class, infinite for a class that does not occur."""
    values = np.concatenate(scores)
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else np.inf
