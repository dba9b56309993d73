"""The two photographs that scikit-learn brings along, for what needs pictures and no labels."""

from typing import Literal

import numpy as np
from jaxtyping import Float

from dlcourse.data.augment import LUMA
from dlcourse.data.dataset import Dataset, split_off


def photograph(
    name: Literal["china", "flower"], *, colour: bool = False
) -> Float[np.ndarray, "427 640 *channels"]:
    """A photograph from 0 to 1, in grey or in three channels: a Chinese temple, or a flower."""
    from sklearn.datasets import load_sample_image

    picture = load_sample_image(f"{name}.jpg") / np.float32(255)
    return picture if colour else picture @ np.array(LUMA, np.float32)


def tiles(
    picture: Float[np.ndarray, "height width"], *, size: int = 32, margin: int = 1
) -> Dataset:
    """A picture cut into squares, to learn from a part of it and to test on another.

    Arguments:
        picture: in grey.
        size: the side of a square in pixels.
        margin: how many pixels of its neighbours each square shows on each side, so that a filter
            of `2 margin + 1` pixels answers at every pixel of the square.

    Returns:
        A set whose batches hold `image`, float32 `[batch, size + 2 margin, size + 2 margin, 1]`;
        a tenth of the squares is for validation, a tenth for testing.
    """
    side = size + 2 * margin
    windows = np.lib.stride_tricks.sliding_window_view(picture, (side, side))[::size, ::size]
    squares = windows.reshape(-1, side, side, 1).astype(np.float32)
    rest, test = split_off(len(squares) // 10, len(squares))
    train, validation = split_off(len(squares) // 10, len(rest))
    splits = {"train": rest[train], "validation": rest[validation], "test": test}
    return Dataset("tiles", {"image": squares}, splits)
