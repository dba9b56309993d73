"""Pooling: the decks' grids, PyTorch, the winner's gradient, the exact inverse."""

import functools
import inspect
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse.errors import UserError
from dlcourse.models.vision.pooling import average_pool, max_pool, squeeze, unsqueeze
from tests import FIXTURES
from tests.fixtures.weights import draw
from tests.models.variables import ones

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


def compiled(pool: Callable, x: np.ndarray, *options: int) -> np.ndarray:
    """Pools as one program: operation by operation each would be compiled for itself."""
    return np.asarray(jax.jit(lambda x: pool(x, *options))(x))


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def pulled_back(x: jax.Array, *options: int | None, pull: np.ndarray | float = 1.0) -> jax.Array:
    """The gradient of the pooled values' sum, or of their product with `pull`."""
    return jax.grad(lambda x: jnp.sum(max_pool(x, *options) * pull))(x)


def as_image(grid) -> np.ndarray:
    return np.asarray(grid, np.float32)[None, :, :, None]


def channels_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 1, -1)


def test_deck_003s_grids() -> None:
    np.testing.assert_array_equal(compiled(max_pool, as_image(GRID)), as_image(MAXIMA))
    # The deck rounds to one decimal, halves now up and now down.
    means = compiled(average_pool, as_image(GRID))
    np.testing.assert_allclose(means, as_image(MEANS), atol=0.05 + 1e-6)


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
    np.testing.assert_array_equal(compiled(max_pool, as_image(grid)), as_image(expected))
    expected = as_image([[9, 7], [9, 8]])
    np.testing.assert_array_equal(compiled(max_pool, as_image(grid), 3), expected)


@pytest.mark.parametrize("key", [key for key in FIXTURE if "_pool/" in key])
def test_pooling_is_pytorchs(key) -> None:
    name, *numbers = key.split("/")
    pool = {"max_pool": max_pool, "average_pool": average_pool}[name]
    image = channels_last(draw("image", (2, 3, 11, 7)))
    ours = compiled(pool, image, *map(int, numbers))
    np.testing.assert_allclose(ours, channels_last(FIXTURE[key]), rtol=1e-6, atol=1e-6)


def test_the_gradient_of_the_maximum_is_pytorchs() -> None:
    image = channels_last(draw("image", (2, 3, 11, 7)))
    pull = channels_last(draw("pull", (2, 3, 6, 4)))
    gradient = pulled_back(image, 3, 2, 1, pull=pull)
    np.testing.assert_allclose(gradient, channels_last(FIXTURE["max_pool_gradient"]), rtol=1e-6)


def test_the_gradient_of_the_maximum_goes_to_the_winner_alone() -> None:
    gradient = pulled_back(as_image([[1, 4], [3, 2]]), 2, None, 0)
    np.testing.assert_array_equal(gradient, as_image([[0, 1], [0, 0]]))


@pytest.mark.parametrize(
    ("grid", "winner"), [([[5, 5], [5, 5]], (0, 0)), ([[1, 2], [2, 0]], (0, 1))]
)
def test_where_values_tie_the_first_of_them_wins(grid, winner) -> None:
    gradient = pulled_back(as_image(grid), 2, None, 0)
    expected = np.zeros((2, 2))
    expected[winner] = 1
    np.testing.assert_array_equal(gradient, as_image(expected))


def test_a_nan_is_never_lost() -> None:
    pool = jax.jit(max_pool)
    for row in range(2):
        for column in range(2):
            grid = np.ones((2, 2), np.float32)
            grid[row, column] = np.nan
            assert np.isnan(pool(as_image(grid))).all()


def test_squeeze_is_exactly_invertible() -> None:
    x = draw("x", (2, 6, 10, 5))
    for factor, shape in ((1, (2, 6, 10, 5)), (2, (2, 3, 5, 20))):
        small = compiled(squeeze, x, factor)
        assert small.shape == shape
        np.testing.assert_array_equal(compiled(unsqueeze, small, factor), x)
    y = draw("y", (2, 3, 5, 18))
    np.testing.assert_array_equal(compiled(squeeze, compiled(unsqueeze, y, 3), 3), y)


def test_squeeze_is_pytorchs_pixel_unshuffle() -> None:
    image = channels_last(draw("square", (2, 5, 6, 9)))
    ours = compiled(squeeze, image, 3)
    np.testing.assert_array_equal(ours, channels_last(FIXTURE["pixel_unshuffle/3"]))


def test_a_size_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="a window of 3 does not fit 2 pixels"):
        max_pool(ones(1, 2, 9, 1), 3)
    with pytest.raises(UserError, match=r"squeeze by 2 needs .* got images of 4x7"):
        squeeze(ones(1, 4, 7, 1))
    with pytest.raises(UserError, match="unsqueeze by 2 needs channels divisible by 4, got 6"):
        unsqueeze(ones(1, 4, 7, 6))


@pytest.mark.parametrize("function", [max_pool, average_pool, squeeze, unsqueeze])
def test_an_image_is_not_taken_for_a_batch(function) -> None:
    expected = r"images should be \[batch, height, width, channels\], got .* \(4, 4, 1\)"
    with pytest.raises(UserError, match=expected):
        # Without jaxtyping's check of the shapes, which runs in the tests alone.
        inspect.unwrap(function)(ones(4, 4, 1))


@pytest.mark.parametrize("pool", [max_pool, average_pool])
def test_what_is_no_window_is_refused(pool) -> None:
    x = ones(1, 4, 4, 1)
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
        function(ones(1, 4, 4, 4), factor)
