"""Scenes of real handwritten digits on clutter, labelled pixel by pixel: made, not photographed."""

import numpy as np
from jaxtyping import Float, Int, UInt8

from dlcourse.data.dataset import Dataset
from dlcourse.data.images import images, scale
from dlcourse.errors import UserError

CLASSES = ("background", *"0123456789")
VALIDATION, TEST = 200, 200
CELL = 12  # pixels


def digit_scenes(seed: int, *, train: int = 1000, size: int = 24, digits: int = 3) -> Dataset:
    """Coloured pictures of handwritten digits, the same for the same seed.

    The digits are scikit-learn's, enlarged from 8x8 to between 9 and 12 pixels, each in a light
    colour of its own. What lies around them is background: smooth patches of darker colours, and
    fragments cut from other digits, in ink just like theirs, so that neither colour nor stroke
    gives a digit away, only its shape. Each lies in a cell of its own, somewhere: digits this
    small that cover each other cannot be read, by a person either. A split's scenes are composed
    of digits of the same split of `images("digits")`: nothing seen in a test scene was trained on.

    Arguments:
        seed: of the generator; each split draws from a stream of its own.
        train: how many scenes to train on; 200 more are for validation and 200 for testing.
        size: height and width in pixels, a multiple of 12, the size of a cell.
        digits: in how many of the cells there is a digit; in the others there are fragments.

    Returns:
        A set whose batches hold `image`, float32 `[batch, size, size, 3]`, and `label`, int32
        `[batch, size, size]`: 0 for the background and d + 1 for the digit d.

    Raises:
        UserError: the size is no multiple of 12, or there are more digits than cells.
    """
    if size % CELL or not 0 <= digits <= (size // CELL) ** 2:
        raise UserError(
            f"A scene of {size} pixels cannot hold {digits} digits: there is one at most in each "
            f"cell of {CELL}x{CELL}, and the size is a multiple of {CELL}."
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
    # Dark colours on a grid of 4x4, enlarged: light and shade without any edge.
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
    """Writes `ink`, enlarged to `side` pixels, somewhere into a cell, and its label."""
    top, left = cell + random.integers(0, CELL - side + 1, 2)
    place = slice(top, top + side), slice(left, left + side)
    # Enlarged, a stroke has soft edges; this makes them steep and leaves its width.
    opacity = np.clip(2 * _enlarge(ink, side) - 0.5, 0, 1)[..., None]
    colour = random.uniform(0.6, 1.0, 3)  # lighter than the background in every primary
    picture[place] = opacity * colour + (1 - opacity) * picture[place]
    # A pixel is the digit's where most of its colour is.
    mask[place][opacity[..., 0] > 0.5] = label


def _enlarge(grid: Float[np.ndarray, "n n"], side: int) -> Float[np.ndarray, "side side"]:
    from PIL import Image

    bicubic = Image.fromarray(grid.astype(np.float32)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    return np.asarray(bicubic)
