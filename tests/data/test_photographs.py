"""Filters on a photograph: the tiles are the picture, and regression finds the filter that was."""

import numpy as np
import optax
import pytest

from dlcourse import data
from dlcourse.models.vision.convolution import (
    HORIZONTAL_EDGES,
    VERTICAL_EDGES,
    convolve2d,
    learn_kernel,
)


def test_a_photograph_is_grey_and_in_range():
    picture = data.photograph("china")
    assert picture.shape == (427, 640)
    assert picture.dtype == np.float32
    assert 0 <= picture.min() < 0.1 < 0.9 < picture.max() <= 1


def test_tiles_cover_the_picture_and_overlap_by_their_margins_alone():
    picture = np.arange(23 * 17, dtype=np.float32).reshape(23, 17)
    tiles = data.tiles(picture, size=3, margin=1)
    inner = tiles.examples["image"][:, 1:-1, 1:-1, 0]
    assert inner.shape == (7 * 5, 3, 3)
    # Every pixel that a 3x3 filter can answer at is in exactly one tile, but for what is left over.
    assert sorted(inner.ravel()) == sorted(picture[1:22, 1:16].ravel())


def test_the_splits_of_tiles_share_none():
    tiles = data.tiles(data.photograph("flower"))
    numbers = np.concatenate([*tiles.splits.values()])
    assert sorted(numbers) == [*range(len(tiles.examples["image"]))]


@pytest.mark.parametrize("kernel", [VERTICAL_EDGES, HORIZONTAL_EDGES])
def test_regression_on_a_photographs_edges_finds_the_filter(kernel):
    picture = data.photograph("china")[100:200, 100:200]
    picture = picture - picture.mean()
    learned, errors = learn_kernel(picture, convolve2d(picture, kernel), optax.adam(0.05), 500)
    np.testing.assert_allclose(learned, kernel, atol=1e-4)
    assert errors[-1] < 1e-8 * errors[0]
