"""Pooling: the decks' grids, PyTorch, the winner's gradient, the exact inverse."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse.errors import UserError
from dlcourse.models.vision.pooling import average_pool, max_pool, squeeze, unsqueeze
from tests import FIXTURES
from tests.fixtures.weights import draw

FIXTURE = np.load(FIXTURES / "convolution.npz")

# Deck 003's grid and what it becomes.
GRID = [
    [0.2, 1.0, 0.3, 0.8, 0.1, 0.8, 0.6, 0.9],
    [0.7, 0.3, 0.3, 0.5, 0.4, 0.3, 0.3, 0.4],
    [0.2, 0.6, 0.7, 0.9, 0.9, 0.1, 0.3, 0.5],
    [0.8, 0.7, 0.1, 0.3, 0.3, 0.6, 0.9, 0.5],
    [0.7, 0.1, 0.1, 0.2, 0.8, 0.4, 0.9, 0.7],
    [0.9, 0.1, 0.8, 0.9, 0.6, 0.3, 0.1, 0.9],
    [0.8, 0.7, 0.2, 0.7, 0.0, 0.6, 0.9, 0.5],
    [0.9, 0.5, 0.1, 0.2, 0.0, 0.1, 0.1, 0.4],
]
MAXIMA = [[1.0, 0.8, 0.8, 0.9], [0.8, 0.9, 0.9, 0.9], [0.9, 0.9, 0.8, 0.9], [0.9, 0.7, 0.6, 0.9]]
MEANS = [[0.5, 0.5, 0.4, 0.6], [0.6, 0.5, 0.5, 0.5], [0.4, 0.5, 0.5, 0.6], [0.7, 0.3, 0.2, 0.5]]


def as_image(grid) -> jax.Array:
    return jnp.asarray(grid, jnp.float32)[None, :, :, None]


def channels_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 1, -1)


def test_deck_003s_grids() -> None:
    np.testing.assert_array_equal(max_pool(as_image(GRID)), as_image(MAXIMA))
    # The deck rounds to one decimal, halves now up and now down.
    np.testing.assert_allclose(average_pool(as_image(GRID)), as_image(MEANS), atol=0.05 + 1e-6)


def test_deck_001s_grid() -> None:
    grid = [
        [3, 9, 7, 4, 7, 5],
        [0, 6, 7, 3, 1, 2],
        [2, 4, 5, 0, 3, 2],
        [3, 7, 5, 0, 2, 1],
        [1, 5, 0, 7, 3, 6],
        [8, 9, 2, 5, 1, 8],
    ]
    expected = [[9, 7, 7], [7, 5, 3], [9, 7, 8]]
    np.testing.assert_array_equal(max_pool(as_image(grid)), as_image(expected))
    np.testing.assert_array_equal(max_pool(as_image(grid), 3), as_image([[9, 7], [9, 8]]))


@pytest.mark.parametrize("key", [key for key in FIXTURE if "_pool/" in key])
def test_pooling_is_pytorchs(key) -> None:
    name, *numbers = key.split("/")
    pool = {"max_pool": max_pool, "average_pool": average_pool}[name]
    image = jnp.asarray(channels_last(draw("image", (2, 3, 11, 7))))
    ours = pool(image, *map(int, numbers))
    np.testing.assert_allclose(ours, channels_last(FIXTURE[key]), rtol=1e-6, atol=1e-6)


def test_the_gradient_of_the_maximum_is_pytorchs() -> None:
    image = jnp.asarray(channels_last(draw("image", (2, 3, 11, 7))))
    pull = channels_last(draw("pull", (2, 3, 6, 4)))
    gradient = jax.grad(lambda x: jnp.sum(max_pool(x, 3, stride=2, padding=1) * pull))(image)
    np.testing.assert_allclose(gradient, channels_last(FIXTURE["max_pool_gradient"]), rtol=1e-6)


def test_the_gradient_of_the_maximum_goes_to_the_winner_alone() -> None:
    gradient = jax.grad(lambda x: jnp.sum(max_pool(x)))(as_image([[1, 4], [3, 2]]))
    np.testing.assert_array_equal(gradient, as_image([[0, 1], [0, 0]]))


@pytest.mark.parametrize(
    ("grid", "winner"), [([[5, 5], [5, 5]], (0, 0)), ([[1, 2], [2, 0]], (0, 1))]
)
def test_where_values_tie_the_first_of_them_wins(grid, winner) -> None:
    gradient = jax.grad(lambda x: jnp.sum(max_pool(x)))(as_image(grid))
    expected = np.zeros((2, 2))
    expected[winner] = 1
    np.testing.assert_array_equal(gradient, as_image(expected))


def test_a_nan_is_never_lost() -> None:
    for row in range(2):
        for column in range(2):
            grid = np.ones((2, 2), np.float32)
            grid[row, column] = np.nan
            assert jnp.isnan(max_pool(as_image(grid))).all()


def test_squeeze_is_exactly_invertible() -> None:
    x = jnp.asarray(draw("x", (2, 6, 10, 5)))
    for factor, shape in ((1, (2, 6, 10, 5)), (2, (2, 3, 5, 20))):
        small = squeeze(x, factor)
        assert small.shape == shape
        np.testing.assert_array_equal(unsqueeze(small, factor), x)
    y = jnp.asarray(draw("y", (2, 3, 5, 18)))
    np.testing.assert_array_equal(squeeze(unsqueeze(y, 3), 3), y)


def test_squeeze_is_pytorchs_pixel_unshuffle() -> None:
    image = jnp.asarray(channels_last(draw("square", (2, 5, 6, 9))))
    np.testing.assert_array_equal(squeeze(image, 3), channels_last(FIXTURE["pixel_unshuffle/3"]))


def test_a_size_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="a window of 3 does not fit 2 pixels"):
        max_pool(jnp.ones((1, 2, 9, 1)), 3)
    with pytest.raises(UserError, match=r"squeeze by 2 needs .* got images of 4x7"):
        squeeze(jnp.ones((1, 4, 7, 1)))
    with pytest.raises(UserError, match="unsqueeze by 2 needs channels that 4 divides, got 6"):
        unsqueeze(jnp.ones((1, 4, 7, 6)))


@pytest.mark.parametrize("function", [max_pool, average_pool, squeeze, unsqueeze])
def test_an_image_is_not_taken_for_a_batch(function) -> None:
    expected = r"images should be \[batch, height, width, channels\], got .* \(4, 4, 1\)"
    with pytest.raises(UserError, match=expected):
        # Without jaxtyping's check of the shapes, which runs in the tests alone.
        inspect.unwrap(function)(jnp.ones((4, 4, 1)))


@pytest.mark.parametrize("pool", [max_pool, average_pool])
def test_what_is_no_window_is_refused(pool) -> None:
    x = jnp.ones((1, 4, 4, 1))
    with pytest.raises(UserError, match="got size 0, stride 0 and padding 0"):
        pool(x, 0)
    with pytest.raises(UserError, match="got size 2, stride 0 and padding 0"):
        pool(x, 2, stride=0)
    with pytest.raises(UserError, match="got size 2, stride 2 and padding -1"):
        max_pool(x, padding=-1)


@pytest.mark.parametrize("function", [squeeze, unsqueeze])
@pytest.mark.parametrize("factor", [0, -2])
def test_a_factor_below_one_is_refused(function, factor) -> None:
    with pytest.raises(UserError, match=f"a factor of at least 1, got {factor}"):
        function(jnp.ones((1, 4, 4, 4)), factor)
