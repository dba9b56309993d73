"""Images of one's own: folders of image files and files of arrays."""

import hashlib
import pathlib
import re
import sys
import threading
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from dlcourse.data import cache
from dlcourse.data.augment import LUMA
from dlcourse.data.cache import cache_folder
from dlcourse.data.dataset import DAMAGED, Example
from dlcourse.data.decoding import row_bytes
from dlcourse.data.optional import require
from dlcourse.data.pixels import GREY, decode
from dlcourse.data.signals import Halted, until_signal
from dlcourse.data.tfds import MEMORY_LIMIT, Prepared, folder, own_names
from dlcourse.errors import UsageError, UserError, reason

VERSION = "1"  # of what is cached; a change in how files are decoded needs another
PATH = re.compile(r"^[./~]|[\\/]$|\.(zip|tar|gz|png|jpe?g)$")  # what is no name of a set


def is_folder(name: str) -> bool:
    """Whether a name is the path of a folder of images; a prepared set of that name goes first.

    Raises:
        UsageError: it is a path, and there is no such folder.
    """
    place = pathlib.Path(name).expanduser()
    if place.is_dir():
        return bool(PATH.search(name)) or not (folder() / name).is_dir()
    if PATH.search(name):
        is_file = "a file; unpack it, and give the folder" if place.exists() else "not there"
        raise UsageError(f"The folder of images '{name}' is {is_file}.")
    return False


def folder_of_images(name: str, *, stream: bool = False, size: int | None = None) -> Prepared:
    """A folder with one folder of image files for each class, whose name is that of the class.

    There may be folders `train`, `validation` and `test` above them. Any format that Pillow reads
    will do. If all files are grey the images have one channel, else three; transparency is dropped,
    and 16 bits become 8.

    Args:
        name: the path of the folder.
        stream: decode files when they are needed. They are decoded once otherwise, and cached.
        size: the shorter side of each image is resized to it, and the middle cut out as a square.
            Without it, all must have the same size.

    Raises:
        UserError: the folder has no such files or only one class, splits differ in their classes,
            the images differ in size, or none can be read.
        Stopped: a signal came while files were read.
    """
    root = pathlib.Path(name).expanduser()
    parts = {child.name: child for child in _folders(root)}
    places = {"train": root}
    if "train" in parts:
        places = {split: parts[own] for split, own in own_names(name, parts).items()}
    classes = [child.name for child in _folders(places["train"])]
    files: list[pathlib.Path] = []
    labels: list[int] = []
    sizes = {}
    for split, place in places.items():
        found = _images(name, place, classes)
        sizes[split] = len(found)
        files += [file for file, _ in found]
        labels += [label for _, label in found]
    digest = _fingerprint(root, files, size)
    cached = cache_folder() / f"{root.resolve().name}-{digest}"
    if not stream and (decoded := cache.read(cached)):
        return _in_memory(name, decoded, sizes, classes)
    with until_signal(f"the files of '{name}' were read") as halted:
        channels, shapes, damaged = _headers(root, files, halted)
    if size is None:
        _require_one_size(name, shapes)
    height, width = (size, size) if size else next(iter(shapes))
    records = ImageFiles(root, files, labels, (height, width, channels), damaged, bool(size))
    fits = row_bytes(records.like) * len(files) <= MEMORY_LIMIT
    if not stream and fits and (kept := cache.decoded(name, records, records.like, {}, cached)):
        return _in_memory(name, kept, sizes, classes)
    return Prepared(records, sizes, tuple(classes))


class ImageFiles:
    """Files of images as a `Source` of decoded examples.

    Attributes:
        like: shape and type of each feature of every example.
    """

    def __init__(
        self,
        root: pathlib.Path,
        files: Sequence[pathlib.Path],
        labels: Sequence[int],
        shape: tuple[int, int, int],
        damaged: Mapping[int, str],
        resized: bool,
    ) -> None:
        self.root, self.files, self.shape, self.resized = root, files, shape, resized
        self._labels, self._damaged = np.array(labels, np.int64), damaged
        self.like = {"image": (shape, np.dtype(np.uint8)), "label": ((), np.dtype(np.int64))}

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Example:
        file = self.files[index]
        try:
            if index in self._damaged:
                raise ValueError(self._damaged[index])
            image = decode(file.read_bytes(), (None, None, self.shape[-1]), np.uint8)
        except Exception as error:  # the name of the file says more than the number
            if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
                raise  # the disk's, not the file's
            raise ValueError(f"{file.relative_to(self.root)}: {reason(error)}") from error
        if self.resized:
            image = resized(image, *self.shape[:2])
        return {"image": image, "label": self._labels[index]}

    def labels(self, halted: threading.Event) -> Int[np.ndarray, " examples"]:
        """The label of each example, or `DAMAGED`."""
        found = self._labels.copy()
        found[list(self._damaged)] = DAMAGED
        return found


def read_image(file: pathlib.Path, shape: tuple[int, ...]) -> np.ndarray:
    """An image file as an example of a set: resized, and what is longer cut off on both sides.

    Args:
        file: in any format that Pillow reads.
        shape: of an example, `[height, width, channels]`.

    Returns:
        uint8 of that shape.

    Raises:
        UserError: it cannot be read.
    """
    height, width, channels = shape
    try:
        image = decode(file.read_bytes(), (None, None, 3), np.uint8)
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror or reason(error)}).") from error
    except ValueError as error:
        raise UserError(f"{file} cannot be read: {reason(error)}.") from error
    if channels == 1:  # luma, as for a colour picture of something grey
        image = np.round(image @ np.array(LUMA)).astype(np.uint8)[..., None]
    return image if image.shape == shape else resized(image, height, width)


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The largest part in the middle that has the wanted proportions, at the wanted size.

    Args:
        image: uint8 `[rows, columns, channels]`, with one or three channels.
        height, width: in pixels.

    Returns:
        uint8 `[height, width, channels]`.
    """
    library = require("PIL.Image", "resizing images")
    rows, columns = image.shape[:2]
    scale = min(rows / height, columns / width)
    top, left = (rows - scale * height) / 2, (columns - scale * width) / 2
    box = (left, top, left + scale * width, top + scale * height)
    picture = library.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    found = picture.resize((width, height), library.Resampling.BILINEAR, box=box)
    return np.asarray(found).reshape(height, width, image.shape[-1])


def _folders(place: pathlib.Path) -> list[pathlib.Path]:
    return sorted(child for child in place.iterdir() if child.is_dir() and child.name[0] != ".")


def _images(
    name: str, place: pathlib.Path, classes: Sequence[str]
) -> list[tuple[pathlib.Path, int]]:
    """The image files of a split, sorted, with their labels."""
    if len(classes) < 2:
        raise UserError(
            f"The folder '{name}' has {len(classes)} folders in {place}; it needs one folder of "
            "images for each of two or more classes, perhaps inside `train` and `test`."
        )
    unknown = [child.name for child in _folders(place) if child.name not in classes]
    if unknown:
        raise UserError(
            f"{place} has the class '{unknown[0]}', which the train split of '{name}' lacks."
        )
    library = require("PIL.Image", f"the images in '{name}'")
    endings = library.registered_extensions()
    found, others = [], 0
    for label, each in enumerate(classes):
        for file in sorted((place / each).rglob("*")):
            if file.is_file() and not file.name.startswith("."):
                if file.suffix.lower() in endings:
                    found.append((file, label))
                else:
                    others += 1
    if others:
        print(f"{others} files in {place} are no images and are ignored.", file=sys.stderr)
    if not found:
        raise UserError(f"There is no image in the folders of {place}.")
    return found


def _headers(
    root: pathlib.Path, files: Sequence[pathlib.Path], halted: threading.Event
) -> tuple[int, dict[tuple[int, int], pathlib.Path], dict[int, str]]:
    """The channels that all files need, a file of each size, and which cannot be opened, and why.

    No pixel is decoded.
    """
    library = require("PIL.Image", "reading images")
    channels = 1
    shapes: dict[tuple[int, int], pathlib.Path] = {}
    damaged: dict[int, str] = {}
    for number, file in enumerate(files):
        if halted.is_set():
            raise Halted
        try:
            with library.open(file) as image:
                if image.mode not in GREY and not image.mode.startswith("I"):
                    channels = 3
                shapes.setdefault((image.height, image.width), file.relative_to(root))
        except library.UnidentifiedImageError:  # its message has the address of the buffer
            damaged[number] = "no format that Pillow reads"
        except Exception as error:
            if getattr(error, "errno", None) is not None:
                raise
            damaged[number] = reason(error)
    if not shapes:
        number, why = next(iter(damaged.items()))
        raise UserError(f"No image in {root} can be read: {files[number]}: {why}.")
    return channels, shapes, damaged


def _require_one_size(name: str, shapes: Mapping[tuple[int, int], pathlib.Path]) -> None:
    if len(shapes) > 1:
        (first, one), (second, other) = list(shapes.items())[:2]
        raise UserError(
            f"The images of '{name}' differ in size: {one} has {first[0]}x{first[1]} pixels, "
            f"{other} {second[0]}x{second[1]}. Resize them with --image-size {min(first)}."
        )


def _fingerprint(root: pathlib.Path, files: Sequence[pathlib.Path], size: int | None) -> str:
    """Another one for a folder that has changed since."""
    digest = hashlib.sha256(f"{VERSION} {root.resolve()} {size}".encode())
    for file in files:
        stat = file.stat()
        digest.update(f"\0{file.relative_to(root)} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:12]


def _in_memory(
    name: str, decoded: cache.Decoded, sizes: Mapping[str, int], classes: Sequence[str]
) -> Prepared:
    if decoded.damaged:
        first, *others = decoded.damaged.values()
        more = f" (and {len(others)} more)" if others else ""
        print(f"Images of '{name}' are in no split: {first}{more}.", file=sys.stderr)
    return Prepared(decoded.arrays, sizes, tuple(classes), decoded.damaged)
