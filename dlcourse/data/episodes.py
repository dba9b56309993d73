"""Episodes by number, for learners that make their own data."""

import numpy as np

from dlcourse.data.dataset import Dataset


def episodes(train: int = 4096, validation: int = 100, test: int = 300) -> Dataset:
    """Numbers that stand for episodes: whoever plays draws the world from the number.

    Batches hold `episode`, int32 `[batch]`. The splits share no number, so no board that a policy
    is tested on was ever one that it was chosen on.
    """
    sizes = {"validation": validation, "test": test, "train": train}
    ends = np.cumsum(list(sizes.values()))
    splits = {
        split: np.arange(end - size, end)
        for (split, size), end in zip(sizes.items(), ends, strict=True)
    }
    return Dataset("episodes", {"episode": np.arange(ends[-1], dtype=np.int32)}, splits)
