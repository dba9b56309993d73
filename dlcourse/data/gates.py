"""Points in the plane for a single neuron: logical gates, and points that a line separates."""

import numpy as np

from dlcourse.data.dataset import Dataset

GATES = {"AND": (0, 0, 0, 1), "OR": (0, 1, 1, 1), "XOR": (0, 1, 1, 0)}


def gates() -> Dataset:
    """The four corners of the square and what each gate makes of them.

    Batches hold `features`, float32 `[batch, 2]`, and `AND`, `OR` and `XOR`, int32 `[batch]`. A
    truth table is all there is to know, so its four rows are train, validation and test split.
    """
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    labels = {name: np.array(truth, np.int32) for name, truth in GATES.items()}
    splits = {split: np.arange(4) for split in ("train", "validation", "test")}
    return Dataset("gates", {"features": corners} | labels, splits, classes=("0", "1"))


def separable(seed: int, margin: float = 0.1) -> Dataset:
    """600 random points of the plane and the side of a line on which each lies.

    The line crosses the origin's neighbourhood at a random angle, and no point lies nearer to it
    than `margin`. Batches hold `features`, float32 `[batch, 2]`, and `label`, int32 `[batch]`.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, 0]))
    angle, offset = random.uniform(0, 2 * np.pi), random.uniform(-0.5, 0.5)
    points = random.normal(size=(2000, 2))
    distance = points @ [np.cos(angle), np.sin(angle)] + offset
    clear = np.flatnonzero(np.abs(distance) > margin)[:600]
    examples = {
        "features": points[clear].astype(np.float32),
        "label": (distance[clear] > 0).astype(np.int32),
    }
    parts = np.split(np.arange(600), [300, 400])
    splits = dict(zip(("train", "validation", "test"), parts, strict=True))
    return Dataset("separable", examples, splits, classes=("0", "1"))
