"""Masks: how good they are, in every measure at once, and how they look on their images."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from dlcourse import metrics
from dlcourse.data import IGNORE, Dataset
from dlcourse.learner import Batch, Metrics, State

# Of the classes in turn; no grey, in which the image under the masks is drawn.
SHADES = ("C0", "C1", "C2", "C3", "C4", "C5", "C6", "C9", "gold", "lime", "navy")

Predict = Callable[[State, Batch], jax.Array]


def mask_metrics(
    predict: Predict, classes: Sequence[str], ignore: int
) -> Callable[[State, Batch], Metrics]:
    """What `learners.measured` adds for a segmentation: IoU, mean and each class's, and borders.

    `iou` is the mean over classes, counted over the whole split; `class_iou/NAME` that of a class;
    `pixels` the share of pixels that are right; `boundary_f` the boundary F-score.

    Args:
        predict: `(state, batch) -> logits` at every pixel.
        classes: their names.
        ignore: the label of pixels that do not count.
    """

    def measure(state: State, batch: Batch) -> Metrics:
        found, labels = jnp.argmax(predict(state, batch), axis=-1), batch["label"]
        mask = batch.get("mask")
        counts = metrics.confusion(labels, found, len(classes), ignore=ignore, mask=mask)
        iou = metrics.iou(counts)
        borders = metrics.boundary_f(labels, found, len(classes), ignore=ignore)
        named = {f"class_iou/{name}": value for name, value in iou.per_class(classes).items()}
        right = metrics.Mean(jnp.trace(counts), jnp.sum(counts))
        return {"iou": iou, "pixels": right, "boundary_f": metrics.mean(borders, mask), **named}

    return measure


def class_pixels(data: Dataset, split: str = "train") -> Int[np.ndarray, "images classes"]:
    """How many pixels of each class each image of a split shows; `IGNORE` is not counted."""
    counted = []
    for indices in np.array_split(data.splits[split], -(-len(data.splits[split]) // 32)):
        labels = np.asarray(data.prepare(data.read(indices))["label"])
        each_class = [(labels == number).sum((1, 2)) for number in range(data.num_classes)]
        counted.append(np.stack(each_class, axis=-1))
    return np.concatenate(counted)


def predict_masks(
    predict: Predict, state: State, data: Dataset, count: int, split: str = "test"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, true masks and predicted masks of the first `count` examples of a split.

    Rows at the bottom and columns at the right that are `IGNORE` in all of them are cut off: they
    are what the images were padded with.
    """
    batch = data.prepare(data.read(data.splits[split][:count]))
    batch = jax.tree.map(jnp.asarray, batch)
    found = jnp.argmax(jax.jit(predict)(state, batch), axis=-1)
    known = np.any(np.asarray(batch["label"]) != IGNORE, axis=0)
    height, width = (int(np.flatnonzero(known.any(axis))[-1]) + 1 for axis in (1, 0))
    shown = (np.asarray(array) for array in (batch["image"], batch["label"], found))
    image, label, predicted = (array[:, :height, :width] for array in shown)
    return image, label, predicted


def draw_masks(
    images: Float[np.ndarray, "n height width channels"],
    masks: Mapping[str, Int[np.ndarray, "n height width"]],
    classes: Sequence[str],
) -> Any:
    """Masks over their images: a row an image, a column a mask.

    What is nothing in particular (`background`, and labels that are no class) is left clear.

    Args:
        masks: by what they are: the truth, and what each model says.
        classes: their names.
    """
    from matplotlib.colors import to_rgba
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    rows, columns = len(images), 1 + len(masks)
    height, width = images.shape[1:3]
    tall = 1.6 * min(1.0, height / width)
    figure = Figure(figsize=(1.7 * columns + 1.5, (tall + 0.1) * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    shades = np.array([to_rgba(SHADES[c % len(SHADES)], 0.75) for c in range(len(classes))])
    shades[[c for c, name in enumerate(classes) if name == "background"], 3] = 0
    shades = np.concatenate([shades, np.zeros((1, 4))])  # the last is that of no class
    for row, line in enumerate(panels):
        line[0].imshow(images[row].squeeze(), cmap="gray", vmin=0, vmax=1)
        line[0].axis("off")
        for panel, mask in zip(line[1:], masks.values(), strict=True):
            # In grey, so that every colour is a class's.
            panel.imshow(images[row].mean(-1), cmap="gray", vmin=0, vmax=1)
            panel.imshow(shades[mask[row]], interpolation="nearest")
            panel.axis("off")
    for panel, title in zip(panels[0], ("image", *masks), strict=True):
        panel.set_title(title, fontsize=9)
    patches = [Patch(color=shades[c], label=name) for c, name in enumerate(classes) if shades[c, 3]]
    figure.legend(handles=patches, loc="outside right center", fontsize=8)
    return figure


def draw_class_iou(scores: Mapping[str, Mapping[str, np.ndarray]]) -> Any:
    """The IoU of each class as bars, a colour for each of several models.

    Args:
        scores: by model and class, one value a seed; nan for a class that never occurred.
    """
    from matplotlib.figure import Figure

    classes = list(next(iter(scores.values())))
    figure = Figure(figsize=(1.5 + 0.65 * len(classes), 3.4), layout="constrained")
    panel = figure.subplots()
    width = 0.8 / len(scores)
    for number, (model, by_class) in enumerate(scores.items()):
        values = np.array([by_class[name] for name in classes])
        places = np.arange(len(classes)) + (number + 0.5) * width - 0.4
        spread = values.std(1, ddof=1) if values.shape[1] > 1 else None
        panel.bar(places, values.mean(1), width, yerr=spread, label=model, error_kw={"lw": 0.8})
    long = sum(map(len, classes)) > 4 * len(classes)
    turned: dict[str, Any] = {"rotation": 35, "ha": "right"} if long else {}
    panel.set_xticks(range(len(classes)), classes, **turned)
    panel.set_ylabel("intersection over union")
    panel.grid(axis="y", alpha=0.3)
    figure.legend(fontsize=8, ncols=len(scores), loc="outside upper center")
    return figure
