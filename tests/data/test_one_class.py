"""One class to learn, all of them to tell apart."""

import numpy as np
import pytest

from dlcourse import data
from dlcourse.errors import UsageError


def test_anomalies_are_in_the_test_split_alone():
    digits = data.images("digits")
    sevens = data.one_class(digits, 7)
    for split in ("train", "validation"):
        assert set(sevens.labels(split)) == {7}
        assert len(sevens.splits[split]) == digits.class_counts(split)[7]
    np.testing.assert_array_equal(sevens.splits["test"], digits.splits["test"])


def test_a_class_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match="has no class 10; its classes are 0 to 9"):
        data.one_class(data.images("digits"), 10)
