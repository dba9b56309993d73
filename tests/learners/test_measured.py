"""More metrics beside a learner's own."""

import jax.numpy as jnp

from dlcourse import learners, metrics
from dlcourse.learner import Learner


def test_measured_changes_evaluation_only():
    plain = Learner(None, None, lambda state, batch: {"loss": metrics.scalar(state)}, None)
    more = learners.measured(plain, lambda state, batch: {"twice": metrics.scalar(2 * state)})
    found = more.evaluate(jnp.float32(3), {})
    assert {name: float(value.value) for name, value in found.items()} == {"loss": 3, "twice": 6}
    assert more.step is plain.step
