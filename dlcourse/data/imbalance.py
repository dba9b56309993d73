"""Rare classes: a set whose training classes have fewer and fewer examples."""

import dataclasses

import numpy as np

from dlcourse.data.dataset import Dataset, split_off
from dlcourse.errors import UsageError


def long_tailed(data: Dataset, imbalance: int | float) -> Dataset:
    """The same set with fewer training examples of each class, by a power law of its number.

        m_c = max(1, round(n_c · imbalance^(-c / (K - 1)))),    c = 0 to K - 1

    n_c is the number of training examples of class c, m_c the number that stays. Class 0 keeps all
    of them; the last class keeps one of `imbalance`. The examples of a larger imbalance are a
    subset of those of a smaller one. Validation and test split stay as they are.

    Source: Cui et al. (2019), "Class-balanced loss based on effective number of samples", who
    measure on long-tailed CIFAR.

    Raises:
        UsageError: `imbalance` is less than 1, or a label is out of range.
    """
    if not imbalance >= 1:
        raise UsageError(f"The imbalance is {imbalance}; it must be at least 1.")
    train, labels = data.splits["train"], data.labels("train")
    kept = []
    for c in range(data.num_classes):
        members = train[labels == c]
        count = max(1, round(len(members) * imbalance ** (-c / (data.num_classes - 1))))
        kept.append(members[split_off(min(count, len(members)), len(members))[1]])
    return dataclasses.replace(data, splits={**data.splits, "train": np.sort(np.concatenate(kept))})
