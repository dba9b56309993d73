"""A set whose training and validation examples are of one class."""

import dataclasses

import numpy as np

from dlcourse.data.dataset import Dataset
from dlcourse.errors import UsageError


def one_class(data: Dataset, label: int) -> Dataset:
    """The same set, whose train and validation split have the class `label` alone.

    The test split keeps all classes: the others are its anomalies (Ruff et al., 2018).

    Raises:
        UsageError: there is no such class.
    """
    if not 0 <= label < data.num_classes:
        raise UsageError(
            f"'{data.name}' has no class {label}; its classes are 0 to {data.num_classes - 1}."
        )
    kept = {
        split: data.splits[split][np.flatnonzero(data.labels(split) == label)]
        for split in ("train", "validation")
    }
    return dataclasses.replace(data, splits={**data.splits, **kept})
