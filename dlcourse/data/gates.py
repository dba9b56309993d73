"""Points in the plane for a single neuron: logical gates and linearly separable points."""

import numpy as np

from dlcourse.data.dataset import Dataset

GATES = {"AND": (0, 0, 0, 1), "OR": (0, 1, 1, 1), "XOR": (0, 1, 1, 0)}


def gates() -> Dataset:
    """The truth tables of AND, OR and XOR.

    Batches hold `features`, float32 `[batch, 2]`, and `AND`, `OR` and `XOR`, int32 `[batch]`. The
    four rows are the complete function, so they serve as train, validation and test split.
    """
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    labels = {name: np.array(truth, np.int32) for name, truth in GATES.items()}
    splits = {split: np.arange(4) for split in ("train", "validation", "test")}
    return Dataset("gates", {"features": corners} | labels, splits, classes=("0", "1"))


def separable(seed: int, margin: float = 0.1) -> Dataset:
    """600 Gaussian points in the plane, labelled by the side of a random line.

        label = [x cos φ + y sin φ + c > 0],    φ ~ U(0, 2π),    c ~ U(-½, ½)

    Batches hold `features`, float32 `[batch, 2]`, and `label`, int32 `[batch]`; the splits have
    300, 100 and 200 points.

    Args:
        seed: of points and line.
        margin: minimum distance of a point to the line.
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
