"""The two photographs bundled with scikit-learn, for tasks on images without labels."""

from typing import Literal

import numpy as np
from jaxtyping import Float

from dlcourse.data.augment import LUMA
from dlcourse.data.dataset import Dataset, split_off
from dlcourse.data.optional import require


def photograph(
    name: Literal["china", "flower"], *, colour: bool = False
) -> Float[np.ndarray, "427 640 *channels"]:
    """A photograph with values in [0, 1].

    Args:
        name: `china`, a temple, or `flower`.
        colour: three channels (RGB) instead of grey (luma).

    Raises:
        UserError: scikit-learn or Pillow is not installed.
    """
    purpose = f"the photograph '{name}'"
    require("PIL.Image", purpose)  # scikit-learn opens the file with it
    datasets = require("sklearn.datasets", purpose)
    picture = datasets.load_sample_image(f"{name}.jpg") / np.float32(255)
    return picture if colour else picture @ np.array(LUMA, np.float32)


def tiles(
    picture: Float[np.ndarray, "height width"], *, size: int = 32, margin: int = 1
) -> Dataset:
    """A picture cut into square tiles, divided at random into train, validation and test split.

    Args:
        picture: a grey image.
        size: side of a tile in pixels.
        margin: overlap with the neighbouring tiles in pixels on each side, so that a filter of
            `2 margin + 1` pixels has a valid output at every pixel of the tile.

    Returns:
        A set whose batches hold `image`, float32 `[batch, size + 2 margin, size + 2 margin, 1]`.
        The validation and the test split each have a tenth of the tiles.
    """
    side = size + 2 * margin
    windows = np.lib.stride_tricks.sliding_window_view(picture, (side, side))[::size, ::size]
    squares = windows.reshape(-1, side, side, 1).astype(np.float32)
    rest, test = split_off(len(squares) // 10, len(squares))
    train, validation = split_off(len(squares) // 10, len(rest))
    splits = {"train": rest[train], "validation": rest[validation], "test": test}
    return Dataset("tiles", {"image": squares}, splits)
