"""One hidden layer against functions whose best approximation is known."""

import numpy as np
import pytest

from dlcourse.analysis import fit_random_features
from dlcourse.analysis.measure.approximation import largest_error, random_features
from dlcourse.data.generated import CURVES

X = np.linspace(-1, 1, 401)


def relu(z):
    return np.maximum(z, 0)


def test_the_largest_error_is_the_largest():
    assert largest_error(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.5, 2.9])) == 0.5


def test_the_fit_is_the_least_squares_one():
    """What is left over is orthogonal to every feature."""
    y = CURVES["wave"](X)
    features = random_features(X, 13, relu, seed=2, slope=0.1)
    assert features.shape == (401, 14)
    residual = y - fit_random_features(X, y, 13, relu, seed=2)
    np.testing.assert_allclose(features.T @ residual, 0, atol=1e-8)


def test_the_features_are_units_that_turn_within_the_line():
    """A ReLU is 0 on one side of its centre and has slope ±0.1 k on the other."""
    hidden = random_features(X, 50, relu, seed=0, slope=0.1)[:, 1:]
    steps = np.diff(hidden, axis=0) / (X[1] - X[0])
    assert hidden.min() == 0
    np.testing.assert_allclose(np.abs(steps).max(axis=0), 5.0)
    assert ((hidden == 0).any(axis=0) & (hidden > 0).any(axis=0)).all()
    centres = X[(hidden == 0).sum(axis=0) - 1]
    assert -1 <= centres.min() < centres.max() <= 1


@pytest.mark.parametrize("activation", [np.tanh, relu])
@pytest.mark.parametrize("curve", CURVES)
def test_the_error_falls_with_width(curve, activation):
    y = CURVES[curve](X)
    medians = [
        np.median([largest_error(fit_random_features(X, y, width, activation, s), y)
                   for s in range(3)])
        for width in (8, 32, 128, 256)
    ]  # fmt: skip
    assert medians[1] < medians[0]
    assert medians[2] < 0.5 * medians[1]
    assert medians[3] < 0.05


@pytest.mark.parametrize("width", [1, 16, 256])
@pytest.mark.parametrize(("curve", "best"), [("triangle", 1.0), ("absolute", 0.5)])
def test_no_width_helps_a_linear_network(curve, best, width):
    """Chebyshev: no line comes nearer to |x| than 1/2, nor to the triangle than 1."""
    y = np.abs(X) if curve == "absolute" else CURVES[curve](X)
    fit = fit_random_features(X, y, width, lambda z: z, seed=0)
    assert largest_error(fit, y) >= best - 1e-9
    np.testing.assert_allclose(np.diff(fit, 2), 0, atol=1e-9)
