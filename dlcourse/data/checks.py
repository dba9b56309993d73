"""Checks of arrays, splits and labels, before anything is made of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse.errors import UserError


def check_arrays(name: str, arrays: Mapping[str, Any], classes: Sequence[str]) -> None:
    """Checks that arrays hold one row an example, and that their labels are numbers of classes.

    Args:
        name: of the data set, for error messages.
        arrays: of the examples of a set, by name.
        classes: the class names; without them, labels may be anything.

    Raises:
        UserError: naming the array.
    """
    lengths = {key: len(array) if np.ndim(array) else None for key, array in arrays.items()}
    if None in lengths.values() or len(set(lengths.values())) > 1:
        counts = ", ".join(f"{key} {np.shape(array)}" for key, array in arrays.items())
        raise UserError(
            f"The arrays of '{name}' must have one row for each example, but their shapes are "
            f"{counts}."
        )
    for key, array in arrays.items():
        if np.asarray(array).dtype.kind not in "biuf":
            raise UserError(
                f"The array '{key}' of '{name}' is {np.asarray(array).dtype}; it must hold numbers."
            )
    # Labels of more axes are class maps, whose sets say themselves what may stand in them.
    if classes and np.ndim(arrays.get("label", 0)) in (1, 2):
        check_labels(name, np.asarray(arrays["label"]), classes)


def check_split(name: str, split: str, numbers: Any, count: int | None) -> None:
    """Checks the numbers of the examples of a split.

    Args:
        name: of the data set, for error messages.
        split: its name.
        numbers: integers `[n]`.
        count: how many examples the set has; None if any number is one.

    Raises:
        UserError: the split is empty or a mask, or has a number that no example has.
    """
    numbers = np.asarray(numbers)
    if numbers.size == 0:
        raise UserError(f"The {split} split of '{name}' is empty.")
    if numbers.dtype == bool:
        raise UserError(
            f"The {split} split of '{name}' is a mask; give the numbers of its examples: "
            "np.flatnonzero(mask)."
        )
    if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer):
        raise UserError(
            f"The {split} split of '{name}' is {numbers.dtype} of shape {numbers.shape}; it must "
            "hold the numbers of its examples, integers of shape [n]."
        )
    if count is not None and (numbers.min() < 0 or numbers.max() >= count):
        raise UserError(
            f"The {split} split of '{name}' has examples {numbers.min()} to {numbers.max()}; the "
            f"set has {count}, numbered from 0."
        )


def check_labels(name: str, labels: np.ndarray, classes: Sequence[str]) -> None:
    """Checks that labels are class numbers.

    Args:
        name: of the data set, for error messages.
        labels: integers `[examples]`.
        classes: the class names.

    Raises:
        UserError: the labels have another rank, are not integers or are out of range.
    """
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        one_hot = labels.ndim == 2 and labels.shape[1] == len(classes)
        remedy = " Make them so with np.argmax(labels, -1)." if one_hot else ""
        raise UserError(
            f"The labels of '{name}' are {labels.dtype} of shape {labels.shape}; "
            f"they must be integers of shape [examples].{remedy}"
        )
    # `num_classes` is not used here: it refuses sets of one class, and only classifiers must.
    least, most, count = labels.min(), labels.max(), len(classes)
    if least < 0 or most >= count:
        raise UserError(
            f"The labels of '{name}' range from {least} to {most}; "
            f"its {count} classes are 0 to {count - 1}."
        )
