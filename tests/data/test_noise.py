"""Fewer examples and wrong labels: the sets on which a model overfits."""

import numpy as np
import pytest

from dlcourse import data
from dlcourse.errors import UserError


def test_wrong_labels_are_wrong_and_only_in_training():
    digits = data.images("digits")
    train = digits.splits["train"]
    noisy = data.with_wrong_labels(digits, 0.2)
    differ = noisy.examples["label"] != digits.examples["label"]
    assert differ.sum() == differ[train].sum() == round(0.2 * len(train))
    assert set(noisy.examples["label"]) == set(range(10))
    again, other = data.with_wrong_labels(digits, 0.2), data.with_wrong_labels(digits, 0.2, seed=1)
    np.testing.assert_array_equal(noisy.examples["label"], again.examples["label"])
    assert (noisy.examples["label"] != other.examples["label"]).any()


@pytest.mark.parametrize(
    ("stream", "share", "message"), [(True, 0.2, "not in memory"), (False, 1.2, "between 0 and 1")]
)
def test_labels_that_cannot_be_made_wrong_are_said(stream, share, message):
    with pytest.raises(UserError, match=message):
        data.with_wrong_labels(data.images("digits", stream=stream), share)


def test_fewer_examples_are_part_of_more():
    digits = data.images("digits")
    few, more = (digits.with_fewer(count).splits for count in (20, 100))
    assert len(few["train"]) == len(set(few["train"])) == 20
    assert set(few["train"]) < set(more["train"]) < set(digits.splits["train"])
    np.testing.assert_array_equal(few["test"], digits.splits["test"])
    assert len(set(digits.examples["label"][more["train"]])) == 10
    for count in (0, 1201):
        with pytest.raises(UserError, match="'digits' has 1200"):
            digits.with_fewer(count)
