"""Long-tailed sets: how many examples of each class stay, and which."""

import numpy as np
import pytest

from dlcourse import data
from dlcourse.errors import UsageError


@pytest.mark.parametrize("stream", [False, True])
def test_classes_shrink_by_a_power_law(stream):
    digits = data.images("digits", stream=stream)
    before = digits.class_counts("train")
    long = data.long_tailed(digits, 20)
    shares = 20.0 ** (-np.arange(10) / 9)
    np.testing.assert_array_equal(long.class_counts("train"), np.round(before * shares))
    assert shares[-1] == pytest.approx(1 / 20)
    for split in ("validation", "test"):
        np.testing.assert_array_equal(long.splits[split], digits.splits[split])


def test_more_imbalance_is_a_subset():
    digits = data.images("digits")
    some, few, one = (data.long_tailed(digits, r).splits["train"] for r in (3, 30, 1e6))
    assert {*one} < {*few} < {*some} < {*digits.splits["train"]}
    assert data.long_tailed(digits, 1e6).class_counts("train")[-1] == 1
    np.testing.assert_array_equal(
        data.long_tailed(digits, 1).splits["train"], digits.splits["train"]
    )


@pytest.mark.parametrize("imbalance", [0.5, float("nan")])
def test_less_than_none_is_refused(imbalance):
    with pytest.raises(UsageError, match="must be at least 1"):
        data.long_tailed(data.images("digits"), imbalance)
