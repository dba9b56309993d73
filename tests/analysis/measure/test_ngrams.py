"""Witten-Bell n-grams: by hand, against a loop over dictionaries, and as a distribution."""

import itertools

import numpy as np
import pytest

from dlcourse import data
from dlcourse.analysis import ngram_log_probabilities, ngram_losses

A, B, C = 0, 1, 2


def test_a_case_by_hand():
    """The train text is "aab", of three characters.

    P_1 = (8, 5, 2) / 15, because N = 3 and T = 2. After a, which a and b followed, N = T = 2:
    P_2(b | a) = (1 + 2 · 1/3) / 4. Nothing followed b, so there P_2 = P_1.
    """
    train = np.array([A, A, B])
    found = np.exp(ngram_log_probabilities(train, np.array([A, B, C, A, A]), 3, 2))
    np.testing.assert_allclose(found[0], [5 / 15, 2 / 15, 8 / 15, 8 / 15])
    np.testing.assert_allclose(found[1], [5 / 12, 2 / 15, 8 / 15, 31 / 60])


def by_dictionaries(train, history, token, vocabulary, order):
    """`P_order(token | history)`, from its definition."""
    if order == 0:
        return 1 / vocabulary
    lower = by_dictionaries(train, history, token, vocabulary, order - 1)
    context = tuple(history[len(history) - order + 1 :])
    if len(history) < order - 1:
        return lower
    followers = [
        train[i + order - 1]
        for i in range(len(train) - order + 1)
        if tuple(train[i : i + order - 1]) == context
    ]
    if not followers:
        return lower
    different = len(set(followers))
    return (followers.count(token) + different * lower) / (len(followers) + different)


def test_every_probability_is_that_of_the_definition():
    random = np.random.default_rng(0)
    train, text = random.integers(0, 3, 60), random.integers(0, 4, 40)
    found = np.exp(ngram_log_probabilities(train, text, 4, 5))
    for n, i in itertools.product(range(5), range(39)):
        history, token = text[: i + 1].tolist(), int(text[i + 1])
        expected = by_dictionaries(train.tolist(), history, token, 4, n + 1)
        assert found[n, i] == pytest.approx(expected, rel=1e-12)


def test_probabilities_sum_to_one():
    random = np.random.default_rng(1)
    train, history = random.integers(0, 5, 200), random.integers(0, 5, 6)
    sums = sum(
        np.exp(ngram_log_probabilities(train, np.array([*history, token]), 7, 7)[:, -1])
        for token in range(7)
    )
    np.testing.assert_allclose(sums, 1, rtol=1e-12)


def test_the_bundled_text():
    text = data.text("shakespeare", context=64)
    train, size = text.parts["train"], text.tokenizer.size
    found = ngram_losses(train, text.parts["validation"], size)
    np.testing.assert_allclose(found, [3.405, 2.457, 1.857, 1.561, 1.503, 1.558, 1.645], atol=1e-3)
    found = ngram_losses(train, text.parts["test"], size)
    np.testing.assert_allclose(found, [3.338, 2.562, 2.066, 1.770, 1.716, 1.779, 1.870], atol=1e-3)
