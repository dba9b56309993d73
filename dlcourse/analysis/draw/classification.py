"""The mistakes of a classifier: confusion matrix and worst predictions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Num

from dlcourse import figures

MOST_CLASSES = 30  # in one confusion matrix


def draw_confusion(
    labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], classes: Sequence[str]
) -> Any:
    """The confusion matrix as counts, with mistakes shaded by their share of the true class.

    Of more than 30 classes, the 30 with the most mistakes are drawn.

    Args:
        labels, predicted: class numbers.
        classes: their names.
    """
    matrix = np.zeros((len(classes), len(classes)), int)
    np.add.at(matrix, (labels, predicted), 1)
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    wrong = share * (1 - np.eye(len(classes)))
    text = (
        f"{matrix.sum():,} test examples, {np.trace(matrix) / max(matrix.sum(), 1):.2%} correct\n"
        "red: mistakes, by their share of the true class"
    )
    if len(classes) > MOST_CLASSES:
        mistakes = matrix.sum(0) + matrix.sum(1) - 2 * np.diag(matrix)
        kept = np.sort(np.argsort(-mistakes, kind="stable")[:MOST_CLASSES])
        matrix, wrong = matrix[np.ix_(kept, kept)], wrong[np.ix_(kept, kept)]
        text += f"\nthe {MOST_CLASSES} of {len(classes)} classes with the most mistakes"
        classes = [classes[number] for number in kept]
    count = len(classes)
    size = 2.6 + 0.4 * count
    figure, ((panel,),) = figures.new(width=size, height=size, grid=False)
    darkest = max(wrong.max(), 0.1)  # so that a single mistake is pale
    panel.imshow(wrong, cmap="Reds", vmin=0, vmax=darkest)
    for true, guess in np.argwhere(matrix):
        panel.text(
            guess, true, matrix[true, guess], ha="center", va="center",
            fontsize=8 if matrix.max() < 1000 else 7,
            fontweight="bold" if true == guess else "normal",
            color="white" if wrong[true, guess] > 0.6 * darkest else "black",
        )  # fmt: skip
    turned: dict[str, Any] = {} if max(map(len, classes)) < 3 else {"rotation": 60, "ha": "right"}
    if turned:
        turned["rotation_mode"] = "anchor"
    panel.set_xticks(range(count), classes, **turned)
    panel.set_yticks(range(count), classes)
    panel.set(xlabel="predicted", ylabel="true")
    figures.title(figure, text)
    return figure


def draw_mistakes(
    images: Num[np.ndarray, "n height width channels"],
    names: Sequence[tuple[str, str]],
    probabilities: Float[np.ndarray, " n"],
    wrong: int,
    examples: int,
) -> Any:
    """Wrongly classified images with true class, predicted class and its probability.

    Args:
        images: worst first; floats in [0, 1] or bytes.
        names: true and predicted class of each.
        probabilities: of the predicted classes.
        wrong, examples: how many mistakes there are in how many test images.
    """
    columns = min(8, max(4, len(images)))  # at least 4, for the title
    rows = max(1, -(-len(images) // columns))
    figure, panels = figures.new(rows, columns, width=1.3, height=1.75, grid=False)
    which = f"The {len(images)} worst of" if len(images) < wrong else "All"
    text = f"{which} {wrong:,} mistakes in {examples:,} test images: true → predicted (probability)"
    figures.title(figure, text if wrong else f"No mistakes in {examples:,} test images")
    for panel in panels.flat:
        panel.axis("off")
    shown = zip(panels.flat, images, names, probabilities, strict=False)
    for panel, image, (true, guess), probability in shown:
        high = 255 if np.issubdtype(image.dtype, np.integer) else 1.0
        figures.image(panel, image, high=high)
        figures.title(panel, f"{true} → {guess} ({probability:.2f})", size=8)
    return figure
