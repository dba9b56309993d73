"""Looking at a trained classifier: what it confuses, and where it is most wrong."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse.data import Dataset

Predict = Callable[[Any, dict[str, Any]], jax.Array]


def predictions(
    predict: Predict, state: Any, data: Dataset, split: str = "test", batch_size: int = 250
) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of every example of a split, in its order: `[n, classes]` and `[n]`."""
    compiled = jax.jit(lambda state, batch: predict(state, data.prepare(batch)))
    indices, mask = data.padded(split, min(batch_size, len(data.splits[split])))
    logits, labels = [], []
    for row in indices:
        batch = jax.tree.map(jnp.asarray, data.read(row))
        logits.append(np.asarray(compiled(state, batch)))
        labels.append(np.asarray(batch["label"]))
    counts = mask.reshape(-1) > 0
    return np.concatenate(logits)[counts], np.concatenate(labels)[counts]


def classification(predict: Predict, data: Dataset) -> dict[str, Callable[[Any], Any]]:
    """The figures of an image classifier, for `training.Experiment`, by file name.

    `confusion` counts the test examples by class and predicted class; `mistakes` shows the test
    images that the model is most surely wrong about.
    """

    def confusion(state: Any) -> Any:
        return draw_confusion(*predictions(predict, state, data), data.classes)

    def mistakes(state: Any) -> Any:
        return draw_mistakes(*predictions(predict, state, data), data)

    return {"confusion": confusion, "mistakes": mistakes}


def draw_confusion(logits: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]) -> Any:
    """The confusion matrix as counts, shaded by the share of each true class."""
    from matplotlib.figure import Figure

    count = len(classes)
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (labels, logits.argmax(-1)), 1)
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    wrong = share * (1 - np.eye(count))
    size = 2.0 + 0.42 * count
    figure = Figure(figsize=(size, size), layout="constrained")
    panel = figure.subplots()
    # Mistakes are what one looks for, so the shade is theirs alone.
    panel.imshow(wrong, cmap="Reds", vmin=0, vmax=max(wrong.max(), 0.02))
    for true in range(count):
        for predicted in range(count):
            if matrix[true, predicted]:
                weight = "bold" if true == predicted else "normal"
                panel.text(
                    predicted, true, matrix[true, predicted], ha="center", va="center",
                    fontsize=8, fontweight=weight,
                    color="white" if wrong[true, predicted] > 0.6 * wrong.max() > 0 else "black",
                )  # fmt: skip
    turned = 0 if max(map(len, classes)) < 3 else 60
    panel.set_xticks(range(count), classes, rotation=turned)
    panel.set_yticks(range(count), classes)
    panel.set_xlabel("predicted")
    panel.set_ylabel("true")
    accuracy = np.trace(matrix) / max(matrix.sum(), 1)
    panel.set_title(
        f"{matrix.sum():,} test examples, {accuracy:.2%} right\n"
        "red: a mistake, darker the larger its share of the true class",
        fontsize=10,
    )
    return figure


def draw_mistakes(logits: np.ndarray, labels: np.ndarray, data: Dataset, most: int = 24) -> Any:
    """The wrong predictions with the highest probability, worst first."""
    from matplotlib.figure import Figure

    log_probs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    predicted, surety = logits.argmax(-1), np.exp(log_probs.max(-1))
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-surety[wrong])][:most]
    columns = 8
    lines = max(1, -(-len(worst) // columns))
    figure = Figure(figsize=(1.25 * columns, 1.6 * lines + 0.5), layout="constrained")
    figure.suptitle(
        f"The {len(worst)} worst of {len(wrong)} mistakes in {len(labels):,} test images: "
        "true → predicted (probability)",
        fontsize=10,
    )
    panels = figure.subplots(lines, columns, squeeze=False).reshape(-1)
    for panel in panels:
        panel.axis("off")
    images = np.asarray(data.read(data.splits["test"][worst])["image"])
    for panel, image, index in zip(panels, images, worst, strict=False):
        panel.imshow(image.squeeze(), cmap="gray" if image.shape[-1] == 1 else None)
        true, guess = data.classes[labels[index]], data.classes[predicted[index]]
        panel.set_title(f"{true} → {guess} ({surety[index]:.2f})", fontsize=8)
    return figure
