"""Bias and variance, told from curves made for it."""

import numpy as np
import pytest

from dlcourse.analysis import diagnose

TIMES = np.linspace(0, 1, 20)


def falling(to, pace=20.0):
    """From 2.3 down to `to`."""
    return to + (2.3 - to) * np.exp(-pace * TIMES)


@pytest.mark.parametrize(
    ("train", "validation", "verdict"),
    [
        (falling(1.0), falling(1.05), "underfitting"),
        (falling(1.0), falling(1.9), "underfitting"),
        (falling(0.01), falling(0.2) + TIMES, "overfitting"),
        (falling(0.01), falling(0.6), "overfitting"),
        (falling(0.1), falling(0.15), "good"),
        (falling(0.1), falling(0.05), "good"),
        ([0.3], [0.3], "good"),
        ([0.31], [0.3], "underfitting"),
        ([0.3], [0.31], "overfitting"),
    ],
)
def test_the_verdict(train, validation, verdict):
    diagnosis = diagnose(train, validation, acceptable=0.3)
    assert diagnosis.verdict == verdict
    assert diagnosis.sentence.startswith(verdict + ": ")
    assert f"train {train[-1]:.3g}, validation {validation[-1]:.3g}" in diagnosis.sentence


def test_what_is_acceptable_decides():
    train, validation = falling(0.2), falling(0.5)
    verdicts = [diagnose(train, validation, limit).verdict for limit in (0.1, 0.3, 0.6)]
    assert verdicts == ["underfitting", "overfitting", "good"]


def test_the_sentence_says_what_the_curves_show():
    still_falling = diagnose(2.3 - TIMES, 2.35 - TIMES, 0.3).sentence
    assert "the train loss is still falling" in still_falling
    assert "still falling" not in diagnose(falling(1.0), falling(1.0), 0.3).sentence

    wide = diagnose(falling(0.5), falling(1.5), 0.3).sentence
    assert "more examples would help too" in wide
    assert "more examples would" not in diagnose(falling(1.0), falling(1.2), 0.3).sentence

    rising = np.array([2.0, 0.5, 0.8, 1.0])
    assert "was 0.5 at evaluation 2 of 4" in diagnose(0.1 * rising, rising, 0.3).sentence
    assert "stop there" not in diagnose(falling(0.01), falling(0.6), 0.3).sentence


@pytest.mark.parametrize(
    ("train", "validation"), [([1.0, 0.5], [1.0]), ([], []), ([1.0], [np.nan])]
)
def test_curves_that_cannot_be_compared_are_refused(train, validation):
    with pytest.raises(ValueError, match=r"curves of one length|finite"):
        diagnose(train, validation, 0.3)
