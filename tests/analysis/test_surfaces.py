"""Known values and minima of the surfaces, and paths that have a closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize

from dlcourse import learners, optim
from dlcourse.analysis import surfaces
from dlcourse.learner import Learner

POINTS = np.random.default_rng(0).uniform(-2, 2, size=(7, 2)).astype(np.float32)


def test_rosenbrock_is_scipys() -> None:
    np.testing.assert_allclose(
        surfaces.rosenbrock(jnp.asarray(POINTS)), scipy.optimize.rosen(POINTS.T), rtol=1e-5
    )


def test_beale_at_the_origin_and_on_its_asymptote() -> None:
    assert surfaces.beale(jnp.zeros(2)) == 1.5**2 + 2.25**2 + 2.625**2
    assert surfaces.beale(jnp.array([123.0, 1.0])) == surfaces.beale(jnp.zeros(2))  # x cancels


@pytest.mark.parametrize("name", surfaces.SURFACES)
def test_the_minimum_is_flat_and_convex_and_at_zero(name) -> None:
    surface = surfaces.SURFACES[name]
    bottom = jnp.array(surface.minimum)
    assert surface.height(bottom) == 0
    np.testing.assert_array_equal(jax.grad(surface.height)(bottom), 0)
    assert np.linalg.eigvalsh(jax.hessian(surface.height)(bottom)).min() > 0


def walk(optimizer: optax.GradientTransformation, steps: int, key: jax.Array) -> np.ndarray:
    learner = learners.descent(surfaces.ravine, optimizer, (-4.0, 1.0))
    return np.asarray(surfaces.path(learner, steps, key))


def test_gradient_descent_in_a_ravine_shrinks_each_axis_by_its_own_factor(key) -> None:
    path = walk(optim.sgd(0.015), 20, key)
    t = np.arange(21)
    np.testing.assert_allclose(path[:, 0], -4 * (1 - 0.015) ** t, rtol=1e-5)
    np.testing.assert_allclose(path[:, 1], (1 - 1.5) ** t, rtol=1e-4, atol=1e-6)


def test_gradient_descent_diverges_beyond_two_over_the_curvature(key) -> None:
    assert abs(walk(optim.sgd(0.0199), 200, key)[-1, 1]) < 1
    assert abs(walk(optim.sgd(0.0201), 200, key)[-1, 1]) > 1


def test_a_descent_has_the_height_before_its_step_and_evaluates_the_one_after(key) -> None:
    learner = learners.descent(surfaces.ravine, optim.sgd(0.01), (-4.0, 1.0))
    state, metrics = learner.step(learner.init(key, {}), {}, key)
    assert metrics["height"].value == 58.0
    np.testing.assert_allclose(state.point, [-3.96, 0.0], atol=1e-6)
    np.testing.assert_allclose(learner.evaluate(state, {})["height"].value, 0.5 * 3.96**2)


def test_the_best_rate_is_the_lowest_that_never_climbs(key) -> None:
    def walker(rate: jax.Array) -> Learner:
        return learners.descent(surfaces.ravine, optim.sgd(rate), (-4.0, 1.0))

    rates = jnp.array([0.001, 0.01, 0.015, 0.03, jnp.nan])
    assert surfaces.best_rate(walker, surfaces.ravine, rates, 30, key) == rates[2]
    assert jnp.isnan(surfaces.best_rate(walker, surfaces.ravine, rates[3:], 30, key))


def test_learners_together_learn_what_each_learns_alone(key) -> None:
    rules = {"slow": optim.sgd(0.001), "fast": optim.adam(0.3)}
    alone = {
        name: learners.descent(surfaces.ravine, rule, (-4.0, 1.0)) for name, rule in rules.items()
    }
    both = learners.together(alone)
    state, metrics = both.step(both.init(key, {}), {}, key)
    assert set(metrics) == {"height/slow", "height/fast"} == set(both.evaluate(state, {}))
    for name, learner in alone.items():
        expected, _ = learner.step(learner.init(key, {}), {}, key)
        np.testing.assert_array_equal(state[name].point, expected.point)


def test_the_figure_has_a_path_for_each_optimizer_on_each_surface(key, tmp_path) -> None:
    points = np.linspace((-1.0, 1.0), (1.0, 0.5), 5)
    paths = {name: {"a, 0.1": points, "b, 0.2": -points} for name in surfaces.SURFACES}
    figure = surfaces.draw(paths)
    above, below = figure.axes[:3], figure.axes[3:]
    assert [axis.get_title() for axis in above] == list(surfaces.SURFACES)
    assert [text.get_text() for text in below[0].get_legend().get_texts()] == ["a, 0.1", "b, 0.2"]

    animation = surfaces.animate(paths, frames=4)
    animation.save(tmp_path / "paths.gif", writer="pillow", dpi=20)
    *_, last = above[0].lines
    np.testing.assert_array_equal(last.get_xydata(), -points)
