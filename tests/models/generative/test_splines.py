"""Rational-quadratic splines: their knots, their tails, and the equations of the paper."""

import functools

import jax
import numpy as np
import pytest

from dlcourse.models.generative.splines import LEAST, rational_quadratic
from tests.fixtures.weights import draw

BOUND, BINS = 3.0, 4
GIVEN = 2 * draw("spline", (3 * BINS - 1,))
SPLINE = {
    inverse: jax.jit(functools.partial(rational_quadratic, bound=BOUND, inverse=inverse))
    for inverse in (False, True)
}


def at(x, inverse=False):
    x = np.asarray(x, np.float32)
    given = np.broadcast_to(GIVEN, (*x.shape, GIVEN.size))
    return jax.tree.map(np.asarray, SPLINE[inverse](x, given))


def knots():
    """(x_k, y_k, d_k), in float64."""
    softmax = lambda a: np.exp(a) / np.exp(a).sum()  # noqa: E731
    ends = [
        -BOUND + 2 * BOUND * np.cumsum([0, *(LEAST + (1 - LEAST * BINS) * softmax(part))])
        for part in (GIVEN[:BINS].astype(float), GIVEN[BINS : 2 * BINS].astype(float))
    ]
    inner = GIVEN[2 * BINS :].astype(float)
    slopes = LEAST + np.log1p(np.exp(inner + np.log(np.expm1(1 - LEAST))))
    return *ends, np.array([1.0, *slopes, 1.0])


def by_loop(x):
    """Equations 4 and 5 of Durkan et al. 2019, for one number."""
    xs, ys, d = knots()
    if abs(x) >= BOUND:
        return x, 0.0
    k = max(i for i in range(BINS) if x >= xs[i])
    w, h = xs[k + 1] - xs[k], ys[k + 1] - ys[k]
    s, xi = h / w, (x - xs[k]) / w
    below = s + (d[k + 1] + d[k] - 2 * s) * xi * (1 - xi)
    y = ys[k] + h * (s * xi**2 + d[k] * xi * (1 - xi)) / below
    slope = s**2 * (d[k + 1] * xi**2 + 2 * s * xi * (1 - xi) + d[k] * (1 - xi) ** 2) / below**2
    return y, np.log(slope)


def test_it_equals_a_loop_over_the_equations_of_the_paper():
    x = np.linspace(-4, 4, 57)
    y, slope = at(x)
    expected = np.array([by_loop(float(each)) for each in x.astype(np.float32)])
    np.testing.assert_allclose(y, expected[:, 0], atol=1e-5)
    np.testing.assert_allclose(slope, expected[:, 1], atol=1e-4)


def test_it_passes_through_its_knots_with_their_slopes():
    xs, ys, d = knots()
    y, slope = at(xs)
    np.testing.assert_allclose(y, ys, atol=1e-5)
    np.testing.assert_allclose(np.exp(slope[1:-1]), d[1:-1], rtol=1e-3)


def test_its_tails_are_the_identity_in_both_directions():
    x = [-1e6, -3.5, -3.0, 3.0, 7.0, 1e6]
    for inverse in (False, True):
        y, slope = at(x, inverse=inverse)
        np.testing.assert_array_equal(y, np.float32(x))
        np.testing.assert_array_equal(slope, 0)


def test_the_inverse_is_exact_and_increasing():
    x = np.linspace(-3.2, 3.2, 201)
    y, slope = at(x)
    assert (np.diff(y) > 0).all()
    back, opposite = at(y, inverse=True)
    np.testing.assert_allclose(back, x, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(opposite, -slope, atol=1e-3)


def test_parameters_of_zero_give_the_identity():
    x = np.linspace(-3.2, 3.2, 21, dtype=np.float32)
    y, slope = SPLINE[False](x, np.zeros((21, 11), np.float32))
    np.testing.assert_allclose(y, x, atol=1e-6)
    np.testing.assert_allclose(slope, 0, atol=1e-6)


@pytest.mark.parametrize("inverse", [False, True])
def test_gradients_are_finite_at_knots_and_in_tails(inverse):
    xs, ys, _ = knots()
    x = np.float32([*(ys if inverse else xs), -9, 9])
    given = np.broadcast_to(GIVEN, (len(x), GIVEN.size))
    total = lambda *args: sum(part.sum() for part in SPLINE[inverse](*args))  # noqa: E731
    slopes = jax.jit(jax.grad(total, (0, 1)))(x, given)
    assert all(np.isfinite(leaf).all() for leaf in slopes)
