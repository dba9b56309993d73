"""Filters on a photograph: the tiles are the picture, and regression finds the filter that was."""

import numpy as np

from dlcourse import analysis, data


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


def test_the_figure_has_a_row_a_filter():
    kernels = np.ones((3, 3, 1, 2), np.float32)
    figure = analysis.draw_filters(
        np.ones((7, 5), np.float32), kernels, kernels, np.ones((5, 3, 2), np.float32), ("a", "b")
    )
    assert len(figure.axes) == 2 * 4
