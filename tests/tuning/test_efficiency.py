"""The best of k trials, against every order of the trials."""

import itertools

import numpy as np
import pytest

from dlcourse.tuning.efficiency import expected_best, quantile_best


def test_the_best_of_k_is_what_all_orders_give():
    values = np.array([0.3, 0.9, 0.1, 0.9, 0.5])
    for k in range(1, 6):
        best = [max(chosen) for chosen in itertools.combinations(values, k)]
        assert expected_best(values)[k - 1] == pytest.approx(np.mean(best))
        for probability in (0.1, 0.5, 0.9):
            quantile = quantile_best(values, probability)[k - 1]
            assert np.mean(np.array(best) <= quantile) >= probability
            assert np.mean(np.array(best) < quantile) < probability
