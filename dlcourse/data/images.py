"""Labelled images: scikit-learn's digits and TFDS sets by name."""

import contextlib
import functools
import importlib.util
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse.data import own_files, tfds
from dlcourse.data.arrays import from_npz, scale
from dlcourse.data.checks import check_labels
from dlcourse.data.dataset import Dataset, Example, split_off
from dlcourse.data.optional import require
from dlcourse.data.signals import until_signal
from dlcourse.errors import UsageError, UserError

DIGITS_TEST, DIGITS_VALIDATION = 450, 147
DIGITS_LEVELS = 17
FEATURES = ("image", "label")


def images(name: str, *, stream: bool = False, size: int | None = None) -> Dataset:
    """Images in [0, 1] with class labels and fixed train, validation and test splits.

    A test split that a set lacks, or that has no labels, is a sixth of its train split; a missing
    validation split is a twelfth of the rest. Both are drawn at random, always the same. Labels
    that are plain numbers have the class names "0", "1", …

    Args:
        name: `digits` (1,797 handwritten 8x8 digits, bundled with scikit-learn); the TFDS name
            of a set with the features `image` and `label` (`mnist`, `cifar10`), prepared
            in `TFDS_DATA_DIR`; the path of a folder of images, see `folder_of_images`; or that of
            an `.npz` file, see `from_npz`.
        stream: read examples on demand instead of keeping them in memory.
        size: height and width to which the images of a folder are resized and cropped.

    Returns:
        A set whose batches hold `image`, float32 `[batch, height, width, channels]`, and `label`,
        int32 `[batch]`.

    Raises:
        UserError: the set is not prepared or lacks images or labels; its images have neither 8 nor
            16 bits or differ in size; a label is out of range; or a package is not installed. The
            examples of a streamed set are checked when they are read.
    """
    if name == "digits":
        return _digits(stream)
    is_file = name.endswith(".npz")
    if not is_file and own_files.is_folder(name):
        return _checked(name, own_files.folder_of_images(name, stream=stream, size=size))
    if size is not None:
        raise UsageError(f"Only images of a folder are resized, and '{name}' is none.")
    return from_npz(name) if is_file else _checked(name, tfds.load(name, FEATURES, stream=stream))


def levels(images: Dataset, given: int | None = None) -> int:
    """The number K of grey levels of a pixel: images hold k / (K - 1) with k = 0, ..., K - 1.

    Args:
        images: as `images` returns them.
        given: K, to be checked; by default 17 of digits, and 256 or 65,536 by the type.

    Raises:
        UserError: a pixel of the first 100 training images is not one of these levels.
    """
    batch = images.read(images.splits["train"][:100])
    kind = batch["image"].dtype
    own = np.iinfo(kind).max + 1 if np.issubdtype(kind, np.integer) else DIGITS_LEVELS
    count = own if given is None else given
    pixels = np.asarray(images.prepare(batch)["image"], np.float64)
    steps = pixels * (count - 1)
    wrong = np.abs(steps - np.round(steps)) > 0.01
    if wrong.any():
        raise UserError(
            f"The images of '{images.name}' do not have {count} grey levels: "
            f"a pixel is {pixels[wrong][0]:.4g}, and no multiple of 1/{count - 1}."
        )
    return count


def _digits(stream: bool) -> Dataset:
    table = _digits_table()
    rest, test = split_off(DIGITS_TEST, len(table))
    train, validation = split_off(DIGITS_VALIDATION, len(rest))
    # Pixels are integers from 0 to 16.
    pixels = (table[:, :64] / (DIGITS_LEVELS - 1)).astype(np.float32).reshape(-1, 8, 8, 1)
    examples = {"image": pixels, "label": table[:, 64].astype(np.int32)}
    return Dataset(
        "digits",
        Rows(examples) if stream else examples,
        {"train": rest[train], "validation": rest[validation], "test": test},
        classes=tuple("0123456789"),
    )


def _digits_table() -> np.ndarray:
    """The 64 pixels and the label of each digit, `[1797, 65]`.

    They are read from scikit-learn's own file, if it is there: importing scikit-learn takes two
    seconds.
    """
    package = importlib.util.find_spec("sklearn")
    for place in package.submodule_search_locations or () if package else ():
        file = pathlib.Path(place) / "datasets" / "data" / "digits.csv.gz"
        if file.exists():
            return np.loadtxt(file, delimiter=",")
    digits = require("sklearn.datasets", "the set 'digits'").load_digits()
    return np.column_stack([digits.data, digits.target])


class Rows:
    """Arrays as a `Source`, so that a small set can be streamed like a large one."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = arrays

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {name: array[index] for name, array in self.arrays.items()}

    def labels(self) -> np.ndarray:
        return self.arrays["label"]


def _checked(name: str, found: tfds.Prepared) -> Dataset:
    examples, classes = found.examples, found.classes
    if isinstance(examples, Mapping):
        _check(name, examples["image"], examples["label"], classes)
    else:
        examples = Checked(examples, name, classes)
    splits = tfds.splits(found.sizes, found.damaged)
    return Dataset(name, examples, splits, scale, classes, found.damaged)


class Checked:
    """A prepared set as a source of labelled images that checks each example when it is read.

    Raises:
        UserError: on reading an example whose image differs in type or size from the first one, or
            whose label is out of range.
    """

    def __init__(self, records: Any, name: str, classes: Sequence[str]) -> None:
        self.records, self.name, self.classes = records, name, classes

    def __len__(self) -> int:
        return len(self.records)

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        """Of the first image that can be read: `[height, width, channels]`."""
        for index in range(len(self)):
            with contextlib.suppress(Exception):  # it is named when it is read itself
                return self.records[index]["image"].shape
        raise UserError(f"No image of '{self.name}' can be read.")

    def labels(self) -> np.ndarray:
        """The label of each example, or `DAMAGED`.

        Raises:
            Stopped: a signal came meanwhile.
        """
        with until_signal(f"the labels of '{self.name}' were read") as halted:
            found = self.records.labels(halted)
        return found

    def __getitem__(self, index: int) -> Example:
        record = self.records[index]
        _check(self.name, record["image"][None], record["label"][None], self.classes)
        if record["image"].shape != self.shape:
            raise UserError(
                f"The images of '{self.name}' differ in size: {self.shape} and "
                f"{record['image'].shape}. Prepare the set with images of one size."
            )
        return record


def _check(name: str, images: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> None:
    if images.ndim != 4 or images.dtype not in (np.uint8, np.uint16):
        raise UserError(
            f"The images of '{name}' are {images.dtype} of shape {images.shape[1:]}; "
            "they must be uint8 or uint16, with all their range, of shape "
            "[height, width, channels]."
        )
    check_labels(name, labels, classes)
