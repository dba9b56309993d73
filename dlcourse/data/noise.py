"""Labels made wrong on purpose: what a model that learns by heart learns too."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from dlcourse.data.dataset import Dataset
from dlcourse.errors import UserError


def with_wrong_labels(data: Dataset, share: float, seed: int = 0) -> Dataset:
    """The same set, with another label on this share of the training examples, drawn at random.

    Validation and test labels stay right.

    Raises:
        UserError: the set is not in memory, or the share is none.
    """
    if not isinstance(data.examples, Mapping):
        raise UserError(f"'{data.name}' is not in memory, so its labels cannot be changed.")
    if not 0 <= share <= 1:
        raise UserError(f"The share of wrong labels is {share}; it lies between 0 and 1.")
    random = np.random.Generator(np.random.Philox(key=[seed, 3]))
    train = data.splits["train"]
    chosen = random.choice(train, round(share * len(train)), replace=False)
    labels = np.array(data.examples["label"])
    shift = random.integers(1, data.num_classes, len(chosen))
    labels[chosen] = (labels[chosen] + shift) % data.num_classes
    return dataclasses.replace(data, examples={**data.examples, "label": labels})
