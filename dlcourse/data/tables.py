"""Labelled tables that come with scikit-learn: no image, a row of measurements an example."""

import numpy as np

from dlcourse.data.dataset import Dataset, split_off
from dlcourse.errors import UserError

TABLES = ("breast_cancer", "iris", "wine")


def table(name: str) -> Dataset:
    """A bundled table, each column standardised by the train split.

        x := (x - mean) / standard deviation

    Args:
        name: `breast_cancer` (569 rows, 30 columns, 2 classes), `iris` (150, 4, 3) or `wine`
            (178, 13, 3).

    Returns:
        A set whose batches hold `features`, float32 `[batch, columns]`, and `label`, int32
        `[batch]`. A fifth of it is the test split, a tenth the validation split.

    Raises:
        UserError: there is no such table.
    """
    from sklearn import datasets

    if name not in TABLES:
        raise UserError(f"There is no table '{name}'; there are {', '.join(TABLES)}.")
    bunch = getattr(datasets, f"load_{name}")()
    rest, test = split_off(len(bunch.target) // 5, len(bunch.target))
    train, validation = split_off(len(bunch.target) // 10, len(rest))
    splits = {"train": rest[train], "validation": rest[validation], "test": test}
    seen = bunch.data[splits["train"]]
    features = (bunch.data - seen.mean(axis=0)) / seen.std(axis=0)
    examples = {
        "features": features.astype(np.float32),
        "label": bunch.target.astype(np.int32),
    }
    return Dataset(name, examples, splits, classes=tuple(map(str, bunch.target_names)))
