"""Label noise: wrong labels in the train split, to measure memorisation."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from dlcourse.data.dataset import Dataset
from dlcourse.errors import UserError


def with_wrong_labels(data: Dataset, share: float, seed: int = 0) -> Dataset:
    """The same set with a wrong label on a random part of the training examples.

    Each wrong label is drawn uniformly from the other classes. Validation and test labels stay
    correct.

    Args:
        data: a set in memory with `label`, integers `[examples]`.
        share: fraction of the training examples, from 0 to 1.
        seed: of the choice of examples and labels.

    Raises:
        UserError: the set is not in memory, or `share` is out of range.
    """
    if not isinstance(data.examples, Mapping):
        raise UserError(f"'{data.name}' is not in memory, so its labels cannot be changed.")
    if not 0 <= share <= 1:
        raise UserError(f"The share of wrong labels is {share}; it must lie between 0 and 1.")
    random = np.random.Generator(np.random.Philox(key=[seed, 3]))
    train = data.splits["train"]
    chosen = random.choice(train, round(share * len(train)), replace=False)
    labels = np.array(data.examples["label"])
    shift = random.integers(1, data.num_classes, len(chosen))
    labels[chosen] = (labels[chosen] + shift) % data.num_classes
    return dataclasses.replace(data, examples={**data.examples, "label": labels})
