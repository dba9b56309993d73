"""Robustness: the accuracy under each attack, whatever the batch size."""

import functools

import numpy as np
import pytest

from dlcourse.analysis import pgd, robustness
from dlcourse.errors import UserError
from tests.analysis.networks import accuracy


def test_robustness_is_the_accuracy_after_each_attack(logits, batch, key) -> None:
    """Cut into batches of 23, with a remainder, as in one."""
    x, y = batch
    epsilons = [0.0, 0.05, 0.1, 1.0]
    attack = functools.partial(pgd, random_start=False)
    found = robustness(logits, key, x, y, epsilons, attack=attack, batch_size=23)
    expected = [accuracy(logits, attack(logits, key, x, y, e), y) for e in epsilons]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found[3] == 0
    assert np.all(np.diff(found) < 0)


def test_robustness_needs_a_label_for_every_image(logits, batch, key) -> None:
    x, y = batch
    bare = getattr(robustness, "__wrapped__", robustness)
    with pytest.raises(UserError, match=f"{len(x)} images to attack and 3 labels"):
        bare(logits, key, np.asarray(x), np.asarray(y[:3]), [0.1], attack=pgd)
