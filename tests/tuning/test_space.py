"""Ranges and choices: the laws of their values."""

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from dlcourse import tuning
from dlcourse.tuning import methods
from dlcourse.tuning.space import levels


@pytest.mark.parametrize(
    ("dimension", "law"),
    [
        (tuning.Uniform(-2, 3), lambda x: (x + 2) / 5),
        (tuning.LogUniform(1e-4, 1e-1), lambda x: (np.log10(x) + 4) / 3),
    ],
)
def test_random_search_follows_the_law_of_each_range(dimension, law):
    random = methods.Random({"other": tuning.Uniform(0, 1), "x": dimension}, 2000, seed=3)
    points = random.propose([], 2000)
    x = np.array([point["x"] for point in points])
    assert x.min() >= dimension.low
    assert x.max() <= dimension.high
    assert stats.kstest(law(x), "uniform").pvalue > 0.01
    correlation = stats.pearsonr(law(x), [point["other"] for point in points])
    assert abs(correlation.statistic) < 0.07


def test_whole_numbers_have_both_ends_and_their_law():
    u = (np.arange(6000) + 0.5) / 6000
    counts = Counter(tuning.Integer(3, 8).at(float(v)) for v in u)
    assert counts == dict.fromkeys(range(3, 9), 1000)
    logarithmic = tuning.Integer(1, 31, log=True)
    counts = Counter(logarithmic.at(float(v)) for v in u)
    assert set(counts) == set(range(1, 32))
    for k, count in counts.items():
        assert count == pytest.approx(6000 * np.log((k + 1) / k) / np.log(32), abs=1.5)
    assert logarithmic.at(1.0) == 31
    choice = tuning.Choice("a", "b", "c")
    assert Counter(choice.at(float(v)) for v in u) == dict.fromkeys("abc", 2000)
    assert choice.at(1.0) == "c"


@pytest.mark.parametrize(
    "dimension",
    [
        tuning.Uniform(-2, 3),
        tuning.LogUniform(1e-4, 0.3),
        tuning.Integer(3, 8),
        tuning.Integer(1, 31, log=True),
        tuning.Choice((64,), (64, 32), (7,)),
    ],
)
def test_a_position_becomes_its_value_again(dimension):
    for u in (0.0, 0.123, 0.5, 0.87, 1.0):
        value = dimension.at(u)
        assert 0 <= dimension.position(value) <= 1
        found = dimension.at(dimension.position(value))
        assert found == (pytest.approx(value) if isinstance(value, float) else value)


def test_levels_of_whole_numbers_are_distinct():
    assert levels(tuning.Integer(1, 4), 4) == [1, 2, 3, 4]
    assert levels(tuning.Integer(1, 2), 9) == [1, 2]
