"""Descents of surfaces: closed forms, the recorded path, and descents side by side."""

import jax
import numpy as np

from dlcourse import learners, optim
from dlcourse.analysis import SURFACES
from dlcourse.learner import Rule, count_parameters

RAVINE = SURFACES["ravine"].height


def walk(optimizer, steps, key):
    """The path of a descent of the ravine, and its last metrics."""
    learner = learners.descent(RAVINE, Rule(optimizer), (-4.0, 1.0), steps)
    state, step = learner.init(key, {}), jax.jit(learner.step)
    for _ in range(steps):
        state, _ = step(state, {}, key)
    return np.asarray(learner.apply(state, {}, key))


def test_gradient_descent_in_a_ravine_shrinks_each_axis_by_its_own_factor(key):
    path = walk(optim.sgd(0.015), 20, key)
    t = np.arange(21)
    np.testing.assert_allclose(path[:, 0], -4 * (1 - 0.015) ** t, rtol=1e-5)
    np.testing.assert_allclose(path[:, 1], (1 - 1.5) ** t, rtol=1e-4, atol=1e-6)


def test_gradient_descent_diverges_beyond_two_over_the_curvature(key):
    assert abs(walk(optim.sgd(0.0199), 200, key)[-1, 1]) < 1
    assert abs(walk(optim.sgd(0.0201), 200, key)[-1, 1]) > 1


def test_the_metric_of_a_step_is_the_height_before_it_and_evaluation_the_one_after(key):
    learner = learners.descent(RAVINE, Rule(optim.sgd(0.01)), (-4.0, 1.0), 1)
    state, metrics = learner.step(learner.init(key, {}), {}, key)
    assert metrics["height"].value == 58.0
    np.testing.assert_allclose(state.point.params, [-3.96, 0.0], atol=1e-6)
    np.testing.assert_allclose(state.path, [[-4.0, 1.0], [-3.96, 0.0]], atol=1e-6)
    np.testing.assert_allclose(learner.evaluate(state, {})["height"].value, 0.5 * 3.96**2)
    assert count_parameters(state) == 2


def test_descents_side_by_side_are_the_descents_alone(key):
    rules = {"slow": optim.sgd(0.001), "fast": optim.adam(0.3)}
    alone = {
        name: learners.descent(RAVINE, Rule(rule), (-4.0, 1.0), 1) for name, rule in rules.items()
    }
    both = learners.side_by_side(alone)
    state, metrics = both.step(both.init(key, {}), {}, key)
    assert set(both.evaluate(state, {})) == {"height/slow", "height/fast"} < set(metrics)
    assert metrics["learning_rate/slow"].value < metrics["learning_rate/fast"].value
    for name, learner in alone.items():
        expected, _ = learner.step(learner.init(key, {}), {}, key)
        np.testing.assert_array_equal(state[name].path, expected.path)
