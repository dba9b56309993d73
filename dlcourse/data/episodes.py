"""Numbered episodes, for learners that generate their own data by acting."""

import numpy as np

from dlcourse.data.dataset import Dataset


def episodes(train: int = 4096, validation: int = 100, test: int = 300) -> Dataset:
    """A set of episode numbers, from which a learner derives the random key of each episode.

    Batches hold `episode`, int32 `[batch]`. The splits have no number in common, so a policy is
    tested on other initial states than the ones it was selected on.

    Args:
        train, validation, test: number of episodes in each split.
    """
    sizes = {"validation": validation, "test": test, "train": train}
    ends = np.cumsum(list(sizes.values()))
    splits = {
        split: np.arange(end - size, end)
        for (split, size), end in zip(sizes.items(), ends, strict=True)
    }
    return Dataset("episodes", {"episode": np.arange(ends[-1], dtype=np.int32)}, splits)
