"""The records of a set prepared by TFDS, one after another, and what its features may be."""

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from dlcourse.data.dataset import DAMAGED, Example
from dlcourse.data.pixels import decode
from dlcourse.data.signals import Halted
from dlcourse.errors import UserError

MOST_CLASSES = 2**16  # plain numbers above this are no class numbers
BATCH = 1024  # records that are read together


class Records:
    """The records of several splits as one `Source` of decoded examples.

    Attributes:
        sizes: the number of examples of each split.
        like: shape and type of each feature of every example; None if shapes vary.
    """

    def __init__(
        self, parts: Mapping[str, Any], features: Mapping[str, Any], images: Collection[str]
    ) -> None:
        """From data sources whose images are not decoded, the features to read, and images."""
        self.parts, self.features, self.images = list(parts.values()), features, images
        self.sizes = {split: len(part) for split, part in parts.items()}
        self.ends = np.cumsum(list(self.sizes.values()))
        like = {key: (feature.shape, self._dtype(key)) for key, feature in features.items()}
        known = all(all(shape) for shape, _ in like.values())  # an axis may be None, or 0 channels
        self.like = like if known else None

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> Example:
        part = int(np.searchsorted(self.ends, index, side="right"))
        start = self.ends[part] - len(self.parts[part])
        record = self.parts[part][int(index - start)]
        return {key: self._decoded(key, record[key]) for key in self.features}

    def labels(self, halted: threading.Event) -> Int[np.ndarray, " examples"]:
        """The label of each example, or `DAMAGED`; all records are read, no image is decoded.

        Raises:
            Halted: the event was set.
        """
        found: list[int] = []
        for part in self.parts:
            for start in range(0, len(part), BATCH):
                if halted.is_set():
                    raise Halted
                found += _labels(part, range(start, min(start + BATCH, len(part))))
        return np.array(found)

    def _dtype(self, key: str) -> Any:
        """TFDS labels have 64 bits; JAX uses 32."""
        dtype = np.dtype(self.features[key].np_dtype)
        narrow = dtype.kind == "i" or (dtype.kind in "ub" and self.features[key].shape == ())
        return np.dtype(np.int32) if narrow else dtype

    def _decoded(self, key: str, value: Any) -> np.ndarray:
        if key in self.images:
            return decode(value, self.features[key].shape, self._dtype(key))
        array = np.asarray(value)
        if array.dtype.kind == "i" and array.size and np.abs(array).max() > np.iinfo(np.int32).max:
            raise ValueError(f"its {key} is {value}, which is more than 32 bits hold")
        return array.astype(self._dtype(key))


def check_features(
    tfds: Any, name: str, wanted: Sequence[str], features: Mapping[str, Any]
) -> None:
    """Checks that features can be read as arrays, and labels as class numbers.

    Args:
        tfds: the module.
        name: of the set, for error messages.
        wanted: the features to read.
        features: those of the set.

    Raises:
        UserError: a feature is missing, or something else than an array of numbers.
    """
    for key in wanted:
        if key not in features:
            raise UserError(
                f"The data set '{name}' has no feature '{key}'; it has {', '.join(features)}."
            )
        feature = features[key]
        kind = type(feature).__name__
        array = isinstance(feature, (tfds.features.Tensor, tfds.features.Image))
        what = f"{np.dtype(feature.np_dtype)} of shape {feature.shape}" if array else kind
        if key == "label":
            # Of other types a class number would be made by rounding, or by order of appearance.
            if not array or feature.shape or np.dtype(feature.np_dtype).kind not in "iub":
                raise UserError(
                    f"The labels of '{name}' are {what} ({kind}); they must be class numbers: one "
                    "integer an example."
                )
        elif isinstance(feature, tfds.features.Image):
            if len(feature.shape) != 3 or feature.np_dtype not in (np.uint8, np.uint16):
                raise UserError(
                    f"The feature '{key}' of '{name}' is {what}; it must be uint8 or uint16 of "
                    "shape [height, width, channels]."
                )
        elif not array or np.dtype(feature.np_dtype).kind not in "iubf":
            raise UserError(f"The feature '{key}' of '{name}' is {kind}; it must be an image.")


def is_unlabelled(part: Any) -> bool:
    """Whether the first label of a split is -1, as TFDS writes where labels are kept secret."""
    return len(part) > 0 and _labels(part, range(1)) == [-1]


def _labels(part: Any, numbers: range) -> list[int]:
    """Of these records; `DAMAGED` where one cannot be read."""
    try:
        return [int(record["label"]) for record in part.__getitems__(list(numbers))]
    except Exception:  # noqa: BLE001  (whatever a damaged record raises)
        if len(numbers) == 1:
            return [DAMAGED]
        return [_labels(part, numbers[i : i + 1])[0] for i in range(len(numbers))]


def numbered(name: str, most: int) -> tuple[str, ...]:
    """The class names "0", "1", … of labels that are plain numbers.

    Raises:
        UserError: `most`, the largest label, is too large for a class number.
    """
    if most >= MOST_CLASSES:
        raise UserError(
            f"The labels of '{name}' are numbers up to {most}; class numbers are counted from 0 "
            f"and below {MOST_CLASSES}."
        )
    return tuple(map(str, range(most + 1)))
