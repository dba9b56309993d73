"""Forecasts without a network: closed forms, scikit-learn's numbers, and the baselines of CO2."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from dlcourse import analysis, data
from dlcourse.analysis.measure import forecasts
from dlcourse.errors import UsageError

PAST = np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 5.0, 0.0, 7.0]])


def test_naive_forecasts():
    np.testing.assert_array_equal(forecasts.last_value(PAST, 3), [[4, 4, 4], [7, 7, 7]])
    np.testing.assert_array_equal(
        forecasts.seasonal_naive(PAST, 5, 3), [[2, 3, 4, 2, 3], [5, 0, 7, 5, 0]]
    )
    np.testing.assert_array_equal(
        forecasts.seasonal_naive(PAST, 2, 1), forecasts.last_value(PAST, 2)
    )
    with pytest.raises(UsageError, match="A season of 5 does not fit a context of 4: --context 5"):
        forecasts.seasonal_naive(PAST, 2, 5)


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 50.0])
def test_ridge_is_scikit_learns(penalty):
    random = np.random.default_rng(0)
    past, future = random.normal(size=(40, 6)), random.normal(size=(40, 3))
    last = past[:, -1:]
    theirs = Ridge(alpha=penalty).fit(past - last, future - last)
    asked = random.normal(size=(5, 6))
    np.testing.assert_allclose(
        forecasts.ridge(past, future, penalty)(asked),
        theirs.predict(asked - asked[:, -1:]) + asked[:, -1:],
        rtol=1e-8,
    )


def test_ridge_continues_what_is_linear():
    """A wave of period 4 with a trend: the next values follow from the last five."""
    t = np.arange(60.0)
    values = 0.3 * t + np.sin(np.pi * t / 2)
    views = np.lib.stride_tricks.sliding_window_view(values, 8)
    past, future = views[:, :6], views[:, 6:]
    predict = forecasts.ridge(past[:30], future[:30], 0.0)
    np.testing.assert_allclose(predict(past[30:]), future[30:], atol=1e-8)
    penalty, _ = forecasts.best_ridge(
        (past[:30], future[:30]), (past[30:], future[30:]), (10.0, 0.1)
    )
    assert penalty == 0.1


def test_the_divisor_of_mase_by_hand():
    """|3 - 1|, |2 - 2|, |7 - 3| with a season of 2: a mean of 2."""
    assert analysis.naive_error(np.array([1.0, 2.0, 3.0, 2.0, 7.0]), 2) == 2.0
    assert analysis.naive_error(np.array([1.0, 2.0, 4.0]), 1) == 1.5
    with pytest.raises(UsageError, match="season of 3 does not fit a train split of 3 values"):
        analysis.naive_error(np.ones(3), 3)


def test_the_baselines_of_carbon_dioxide():
    """Test errors in training standard deviations; without a network they are known numbers."""
    series = data.series("co2", context=52, horizon=26)
    future = series.read(series.splits["test"])["future"]
    found = analysis.baselines(series, "test", season=52)
    errors = {name: float(np.abs(each - future).mean()) for name, each in found.items()}
    assert list(errors) == ["last value", "seasonal naive", "ridge"]
    np.testing.assert_allclose(list(errors.values()), [0.2436, 0.1568, 0.0490], atol=5e-5)


def test_the_figures_show_what_came_and_each_method():
    values = np.arange(40.0) ** 2
    series = data.windows("squares", values, "metres", context=3, horizon=2)
    past = series.read(series.splits["test"])["past"]
    shown = {"last value": np.stack([forecasts.last_value(past, 2)] * 2)}
    first, *_ = analysis.draw_forecasts(series, shown).axes
    came, _, line = first.lines
    np.testing.assert_array_equal(came.get_xdata(), [-2, -1, 0, 1, 2])
    np.testing.assert_allclose(came.get_ydata(), values[31:36], rtol=1e-5)
    np.testing.assert_allclose(line.get_ydata(), values[[33, 33]], rtol=1e-5)
    (panel,) = analysis.draw_errors_ahead(series, shown).axes
    t = series.splits["test"]
    expected = [(values[t + k] - values[t - 1]).mean() for k in (0, 1)]
    np.testing.assert_allclose(panel.lines[0].get_ydata(), expected, rtol=1e-4)
    assert "metres" in panel.get_ylabel()
