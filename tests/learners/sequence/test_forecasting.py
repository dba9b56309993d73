"""The error of forecasts over a whole split, whatever the batch size and its last batch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data, learners, losses, metrics, models, optim
from dlcourse.learner import Rule


def test_every_window_of_a_split_counts_once_at_any_batch_size():
    """Dropping the last, smaller batch of the test split is the known mistake."""
    series = data.windows("waves", np.sin(np.arange(150.0)) + 0.1 * np.arange(150.0), context=6,
                          horizon=3)  # fmt: skip
    learner = learners.supervised(
        models.FromLast(models.TCN((3,), 3)),
        losses.huber,
        Rule(optim.adam(1e-2)),
        inputs="past",
        target="future",
        metrics_of={"mae": lambda found, y: jnp.abs(found - y)},
    )
    state = jax.jit(learner.init)(jax.random.key(0), series.batch(0, 2, seed=0))
    evaluate, test = jax.jit(learner.evaluate), series.read(series.splits["test"])
    found = jax.jit(learner.apply)(state, test, jax.random.key(0))
    expected = np.abs(np.asarray(found, np.float64) - test["future"]).mean()
    assert len(test["past"]) == 21
    for batch_size in (4, 32):
        batches = zip(*series.padded("test", batch_size), strict=True)
        sums = [evaluate(state, series.read(index) | {"mask": mask}) for index, mask in batches]
        total = functools.reduce(functools.partial(jax.tree.map, jnp.add), sums)
        assert metrics.values(total)["mae"] == pytest.approx(expected, rel=1e-6)
