"""Bundled tables, standardised by the train split alone; gates and separable points."""

import numpy as np
import pytest

from dlcourse import data
from dlcourse.data.tables import TABLES
from dlcourse.errors import UsageError


@pytest.mark.parametrize(
    ("name", "rows", "columns", "classes"),
    [("breast_cancer", 569, 30, 2), ("iris", 150, 4, 3), ("wine", 178, 13, 3)],
)
def test_sizes(name, rows, columns, classes):
    table = data.table(name)
    assert table.examples["features"].shape == (rows, columns)
    assert table.num_classes == classes
    assert set(table.examples["label"]) == set(range(classes))
    rows_of_splits = np.concatenate(list(table.splits.values()))
    assert sorted(rows_of_splits) == list(range(rows))


@pytest.mark.parametrize("name", TABLES)
def test_the_train_split_alone_is_standardised(name):
    table = data.table(name)
    train = table.examples["features"][table.splits["train"]]
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(axis=0), 1, atol=1e-5)
    test = table.examples["features"][table.splits["test"]]
    assert np.abs(test.mean(axis=0)).max() > 1e-3


def test_an_unknown_table_is_refused():
    with pytest.raises(UsageError, match=r"Unknown table 'boston'.*breast_cancer, iris, wine"):
        data.table("boston")


def test_gates_are_their_truth_tables():
    gates = data.gates().read(np.arange(4))
    a, b = gates["features"].astype(bool).T
    np.testing.assert_array_equal(gates["AND"], a & b)
    np.testing.assert_array_equal(gates["OR"], a | b)
    np.testing.assert_array_equal(gates["XOR"], a ^ b)


def test_the_seed_determines_separable_points():
    first, again, other = (data.separable(seed).examples["features"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.any(first == other)
