"""Labelled tables bundled with scikit-learn: each example is a row of measurements."""

import numpy as np

from dlcourse.data.dataset import Dataset, split_off
from dlcourse.data.optional import require
from dlcourse.errors import UsageError

TABLES = ("breast_cancer", "iris", "wine")


def table(name: str) -> Dataset:
    """A bundled table whose columns are standardised with the statistics of the train split.

        x := (x - mean) / standard deviation

    Args:
        name: `breast_cancer` (569 rows, 30 columns, 2 classes), `iris` (150, 4, 3) or `wine`
            (178, 13, 3).

    Returns:
        A set whose batches hold `features`, float32 `[batch, columns]`, and `label`, int32
        `[batch]`. The test split has a fifth of the rows, the validation split a tenth.

    Raises:
        UserError: unknown name, or scikit-learn is not installed.
    """
    if name not in TABLES:
        raise UsageError(f"Unknown table '{name}'; the tables are {', '.join(TABLES)}.")
    datasets = require("sklearn.datasets", f"the table '{name}'")
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
