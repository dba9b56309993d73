"""Labelled images: scikit-learn's digits, and any image set by its TFDS name."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from dlcourse.data import tfds
from dlcourse.data.dataset import Dataset, split_off

DIGITS_TEST, DIGITS_VALIDATION = 450, 147


def images(name: str, *, stream: bool = False) -> Dataset:
    """Images in [0, 1] and their labels, with train, validation and test splits that never change.

    Args:
        name: `digits` (1,797 handwritten 8x8 digits, bundled with scikit-learn) or the TFDS name
            of a set with the features `image` and `label` (`mnist`, `cifar10`), prepared
            in `TFDS_DATA_DIR`. A set without a validation split lends a twelfth of its train split.
        stream: read examples as they are needed instead of keeping them in memory.

    Returns:
        A set whose batches hold `image`, float32 `[batch, height, width, channels]`, and `label`,
        int32 `[batch]`.

    Raises:
        UserError: the set is not prepared, or has no images or labels.
    """
    return _digits(stream) if name == "digits" else _from_tfds(name, stream)


def scale(batch: dict[str, Any]) -> dict[str, Any]:
    """uint8 images in 0..255 to float32 in [0, 1]."""
    return batch | {"image": jnp.asarray(batch["image"], jnp.float32) / 255}


def _digits(stream: bool) -> Dataset:
    from sklearn.datasets import load_digits

    digits = load_digits()
    rest, test = split_off(DIGITS_TEST, len(digits.target))
    train, validation = split_off(DIGITS_VALIDATION, len(rest))
    # The set counts ink from 0 to 16.
    pixels = (digits.images / 16).astype(np.float32)[..., None]
    examples = {"image": pixels, "label": digits.target.astype(np.int32)}
    return Dataset(
        "digits",
        Rows(examples) if stream else examples,
        {"train": rest[train], "validation": rest[validation], "test": test},
        classes=tuple("0123456789"),
    )


class Rows:
    """Arrays read one example at a time, so that a small set can be streamed like a large one."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = arrays

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {name: array[index] for name, array in self.arrays.items()}


def _from_tfds(name: str, stream: bool) -> Dataset:
    examples, sizes, classes = tfds.load(name, ("image", "label"), stream=stream)
    return Dataset(name, examples, tfds.splits(sizes), prepare=scale, classes=classes)
