"""Anomalies: the area is a probability, and the threshold has seen no anomaly."""

import numpy as np
import pytest
import sklearn.metrics

from dlcourse import analysis
from dlcourse.analysis.measure.anomalies import roc


@pytest.fixture
def scores():
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(size=40), random.normal(1, 1, 57)]).round(1)
    return values, np.arange(97) >= 40


def test_the_area_is_that_of_scikit_learn_with_ties(scores):
    values, anomalous = scores
    found = analysis.detection(values[:40], values, anomalous)
    assert found.auroc == pytest.approx(sklearn.metrics.roc_auc_score(anomalous, values))
    x, y = roc(values, anomalous)
    assert np.trapezoid(y, x) == pytest.approx(found.auroc)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)


def test_the_threshold_depends_on_normal_validation_scores_alone(scores):
    values, anomalous = scores
    validation = np.arange(101.0)
    found = analysis.detection(validation, values, anomalous, 0.9)
    other = analysis.detection(validation, values + 50, anomalous, 0.9)
    assert found.threshold == other.threshold == 90
    certain = analysis.detection(validation, np.array([0.0, 95.0, 91.0, 2.0]), np.arange(4) > 1)
    assert (certain.detected, certain.false_alarms) == (0, 0)
    assert analysis.detection(validation, 60 + values, anomalous, 0.6).detected == np.mean(
        60 + values[anomalous] > 60
    )
