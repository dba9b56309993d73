"""Scenes of real handwritten digits on clutter, labelled pixel by pixel: made, not photographed."""

import numpy as np
from jaxtyping import Float, Int, UInt8

from dlcourse.data.dataset import Dataset
from dlcourse.data.images import images, scale

CLASSES = ("background", *"0123456789")
VALIDATION, TEST = 200, 200


def digit_scenes(
    seed: int, *, train: int = 1000, size: int = 32, digits: int = 2, fragments: int = 4
) -> Dataset:
    """Coloured pictures of handwritten digits, the same for the same seed.

    The digits are scikit-learn's, enlarged from 8x8 to between a quarter and a half of the scene,
    each in a colour of its own, later ones over earlier ones. What lies around them is background:
    smooth patches of colour, and fragments cut from other digits, in ink just like theirs, so that
    neither colour nor stroke gives a digit away, only its shape. A split's scenes are composed of
    digits of the same split of `images("digits")`: nothing seen in a test scene was trained on.

    Arguments:
        seed: of the generator; each split draws from a stream of its own.
        train: how many scenes to train on; 200 more are for validation and 200 for testing.
        size: height and width in pixels.
        digits: how many in each scene.
        fragments: how many pieces of others lie among them.

    Returns:
        A set whose batches hold `image`, float32 `[batch, size, size, 3]`, and `label`, int32
        `[batch, size, size]`: 0 for the background and d + 1 for the digit d.
    """
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
            picture, mask = _scene(random, ink, names, size, digits, fragments)
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
    fragments: int,
) -> tuple[UInt8[np.ndarray, "size size 3"], Int[np.ndarray, "size size"]]:
    # Muted colours on a grid of 4x4, enlarged: light and shade without any edge.
    muted = random.uniform(0.25, 0.75, (3, 4, 4))
    picture = np.stack([_enlarge(channel, size) for channel in muted], axis=-1)
    mask = np.zeros((size, size), np.int32)

    for _ in range(fragments):
        top, left = random.integers(0, 5, 2)
        piece = ink[random.integers(len(ink))][top : top + 4, left : left + 4]
        side = int(random.integers(size // 8, size // 4))
        _paint(random, picture, mask, piece, side, 0)
    for _ in range(digits):
        which = random.integers(len(ink))
        side = int(random.integers(size // 4, size // 2 + 1))
        _paint(random, picture, mask, ink[which], side, int(names[which]) + 1)

    noisy = picture + random.normal(0, 0.03, picture.shape)
    return (255 * np.clip(noisy, 0, 1)).astype(np.uint8), mask


def _paint(
    random: np.random.Generator,
    picture: Float[np.ndarray, "size size 3"],
    mask: Int[np.ndarray, "size size"],
    ink: Float[np.ndarray, "n n"],
    side: int,
    label: int,
) -> None:
    """Writes `ink`, enlarged to `side` pixels, somewhere into the picture, and its label."""
    size = len(mask)
    top, left = random.integers(0, size - side + 1, 2)
    place = slice(top, top + side), slice(left, left + side)
    opacity = np.clip(2 * _enlarge(ink, side), 0, 1)[..., None]
    # Each primary nearly off or nearly full: an ink that the muted background cannot hide.
    colour = random.integers(0, 2, 3) * 0.8 + random.uniform(0, 0.2, 3)
    picture[place] = opacity * colour + (1 - opacity) * picture[place]
    # A pixel is the digit's where most of its colour is.
    mask[place][opacity[..., 0] > 0.5] = label


def _enlarge(grid: Float[np.ndarray, "n n"], side: int) -> Float[np.ndarray, "side side"]:
    from PIL import Image

    bicubic = Image.fromarray(grid.astype(np.float32)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    return np.asarray(bicubic)
