"""Known values and minima of the surfaces, and paths that have a closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from dlcourse.analysis.measure import surfaces

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
