"""Generated scenes of handwritten digits on a cluttered background, with a class per pixel."""

import numpy as np
from jaxtyping import Float, Int, UInt8

from dlcourse.data.dataset import Dataset
from dlcourse.data.images import images, scale
from dlcourse.data.optional import require
from dlcourse.errors import UserError

CLASSES = ("background", *"0123456789")
VALIDATION, TEST = 200, 200
CELL = 12  # pixels


def digit_scenes(seed: int, *, train: int = 1000, size: int = 24, digits: int = 3) -> Dataset:
    """Coloured images of handwritten digits; the seed determines them.

    The digits are scikit-learn's, enlarged from 8x8 to between 9 and 12 pixels, each in a random
    light colour. The background has smooth dark colours and fragments of other digits. The
    fragments have the same ink as the digits, so that only the shape identifies a digit, and not
    its colour or stroke. Each digit or fragment has a random position in a cell of 12x12 pixels.
    They do not overlap, because overlapping digits of this size are illegible. The scenes of a
    split use the digits of the same split of `images("digits")`, so no digit of a test scene
    occurs in training.

    Args:
        seed: of the generator; each split draws from a separate stream.
        train: number of training scenes; validation and test split have 200 each.
        size: height and width in pixels, a multiple of 12.
        digits: number of cells with a digit; the others hold a fragment.

    Returns:
        A set whose batches hold `image`, float32 `[batch, size, size, 3]`, and `label`, int32
        `[batch, size, size]`: 0 for the background and d + 1 for the digit d.

    Raises:
        UserError: `size` is not a multiple of 12, there are more digits than cells, or
            scikit-learn or Pillow is not installed.
    """
    if size % CELL or not 0 <= digits <= (size // CELL) ** 2:
        raise UserError(
            f"A scene of {size} pixels cannot hold {digits} digits: each cell of {CELL}x{CELL} "
            f"holds at most one, and the size must be a multiple of {CELL}."
        )
    bundled = images("digits")
    splits: dict[str, np.ndarray] = {}
    pictures: list[np.ndarray] = []
    masks: list[np.ndarray] = []
    sizes = {"train": train, "validation": VALIDATION, "test": TEST}
    for stream, (split, count) in enumerate(sizes.items()):
        random = np.random.Generator(np.random.Philox(key=[seed, stream]))
        digit = bundled.read(bundled.splits[split])
        ink, names = digit["image"][..., 0], digit["label"]
        splits[split] = np.arange(len(pictures), len(pictures) + count)
        for _ in range(count):
            picture, mask = _scene(random, ink, names, size, digits)
            pictures.append(picture)
            masks.append(mask)
    examples = {"image": np.stack(pictures), "label": np.stack(masks)}
    return Dataset("digit_scenes", examples, splits, prepare=scale, classes=CLASSES)


def _scene(
    random: np.random.Generator,
    ink: Float[np.ndarray, "digits 8 8"],
    names: Int[np.ndarray, " digits"],
    size: int,
    digits: int,
) -> tuple[UInt8[np.ndarray, "size size 3"], Int[np.ndarray, "size size"]]:
    # Dark colours on a grid of 4x4, enlarged: smooth shading without edges.
    dark = random.uniform(0.0, 0.5, (3, 4, 4))
    picture = np.stack([_enlarge(channel, size) for channel in dark], axis=-1)
    mask = np.zeros((size, size), np.int32)

    cells = np.array([(i, j) for i in range(0, size, CELL) for j in range(0, size, CELL)])
    for number, cell in enumerate(random.permutation(cells)):
        which = random.integers(len(ink))
        piece, side, label = ink[which], int(random.integers(9, CELL + 1)), int(names[which]) + 1
        if number >= digits:
            top, left = random.integers(0, 5, 2)
            piece, side, label = piece[top : top + 4, left : left + 4], side // 2, 0
        _paint(random, picture, mask, piece, cell, side, label)

    noisy = picture + random.normal(0, 0.03, picture.shape)
    return (255 * np.clip(noisy, 0, 1)).astype(np.uint8), mask


def _paint(
    random: np.random.Generator,
    picture: Float[np.ndarray, "size size 3"],
    mask: Int[np.ndarray, "size size"],
    ink: Float[np.ndarray, "n n"],
    cell: Int[np.ndarray, " 2"],
    side: int,
    label: int,
) -> None:
    """Paints `ink`, enlarged to `side` pixels, and its label at a random position in a cell."""
    top, left = cell + random.integers(0, CELL - side + 1, 2)
    place = slice(top, top + side), slice(left, left + side)
    # Enlarged strokes have soft edges; this sharpens them without a change of width.
    opacity = np.clip(2 * _enlarge(ink, side) - 0.5, 0, 1)[..., None]
    colour = random.uniform(0.6, 1.0, 3)  # lighter than the background in every primary
    picture[place] = opacity * colour + (1 - opacity) * picture[place]
    # A pixel belongs to the digit where the ink covers more than half of it.
    mask[place][opacity[..., 0] > 0.5] = label


def _enlarge(grid: Float[np.ndarray, "n n"], side: int) -> Float[np.ndarray, "side side"]:
    Image = require("PIL.Image", "the set 'digit_scenes'")

    bicubic = Image.fromarray(grid.astype(np.float32)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    return np.asarray(bicubic)
