"""Sets with known densities: the density is that of the points, and it integrates to one."""

import jax
import numpy as np
import pytest

from dlcourse.data import densities
from dlcourse.errors import UsageError

PLANES = [name for name in densities.DENSITIES if name != "two_gaussians"]


@pytest.fixture(scope="module")
def drawn():
    """20,000 points of each set, in its test split."""
    found = {}
    for name in densities.DENSITIES:
        points = densities.points(name)
        numbers = points.read(points.splits["test"][:20_000])
        found[name] = np.asarray(jax.jit(points.prepare)(numbers)["x"])
    return found


@pytest.mark.parametrize("name", PLANES)
def test_points_are_standardised(name, drawn):
    np.testing.assert_allclose(drawn[name].mean(0), 0, atol=0.03)
    np.testing.assert_allclose(drawn[name].std(0), 1, atol=0.02)


@pytest.mark.parametrize("name", PLANES)
def test_a_density_integrates_to_one(name):
    axis = np.linspace(-2.5, 2.5, 200, endpoint=False, dtype=np.float32) + 0.0125
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    total = np.exp(densities.log_density(name, grid)).sum() * 0.025**2
    assert total == pytest.approx(1.0, abs=0.02 if name == "checkerboard" else 2e-3)


def test_points_follow_their_density(drawn):
    """The mean log-density of points is minus the entropy, by quadrature on a grid."""
    axis = np.linspace(-2.5, 2.5, 200, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    for name in ("two_moons", "rings"):
        log_p = densities.log_density(name, grid)
        entropy = -(np.exp(log_p) * log_p).sum() * (axis[1] - axis[0]) ** 2
        assert -densities.log_density(name, drawn[name]).mean() == pytest.approx(entropy, abs=0.02)
    # Uniform on 8 squares of side √(3/4).
    board = densities.log_density("checkerboard", drawn["checkerboard"])
    np.testing.assert_allclose(board, -np.log(8 * 3 / 4), atol=1e-5)


def test_two_gaussians_have_the_entropy_of_the_literature(drawn):
    x = drawn["two_gaussians"]
    assert x.var() == pytest.approx(4.25, rel=0.02)
    assert -densities.log_density("two_gaussians", x).mean() == pytest.approx(1.4188, abs=0.02)


def test_every_training_point_is_new_and_belongs_to_its_number():
    points = densities.points("rings")
    first, again, next_ = (points.batch(step, 5, seed=3)["x"] for step in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.intersect1d(first, next_).size


def test_points_of_ones_own_are_left_alone():
    own = {"x": np.zeros((2, 2), np.float32)}
    assert densities.points("rings").prepare(own) is own


def test_an_unknown_density_is_refused():
    with pytest.raises(UsageError, match="two_moons"):
        densities.points("moons")
