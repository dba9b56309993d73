"""Known values and minima of the surfaces, and paths that have a closed form."""

import jax
import numpy as np
import pytest
import scipy.optimize

from dlcourse.analysis.measure import surfaces

POINTS = np.random.default_rng(0).uniform(-2, 2, size=(7, 2)).astype(np.float32)


def test_rosenbrock_is_scipys() -> None:
    np.testing.assert_allclose(
        jax.jit(surfaces.rosenbrock)(POINTS), scipy.optimize.rosen(POINTS.T), rtol=1e-5
    )


def test_beale_at_the_origin_and_on_its_asymptote() -> None:
    origin, asymptote = jax.jit(surfaces.beale)(np.float32([[0, 0], [123, 1]])).tolist()
    assert origin == 1.5**2 + 2.25**2 + 2.625**2
    assert asymptote == origin  # x cancels


@pytest.mark.parametrize("name", surfaces.SURFACES)
def test_the_minimum_is_flat_and_convex_and_at_zero(name) -> None:
    surface = surfaces.SURFACES[name]
    functions = surface.height, jax.grad(surface.height), jax.hessian(surface.height)
    bottom = np.float32(surface.minimum)
    height, slope, curvature = jax.jit(lambda point: [f(point) for f in functions])(bottom)
    assert height.item() == 0
    np.testing.assert_array_equal(slope, 0)
    assert np.linalg.eigvalsh(curvature).min() > 0
