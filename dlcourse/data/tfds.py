"""Sets prepared by TFDS: read without TensorFlow, decoded once and cached as arrays."""

import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from dlcourse.data.dataset import Example, Source, split_off
from dlcourse.data.optional import require
from dlcourse.errors import UserError

MEMORY_LIMIT = 4 * 2**30  # bytes of decoded examples; a larger set is streamed
# Sets that TFDS lacks, and the command that prepares each.
OURS = {"camvid": "python -m dlcourse.data.camvid --archive CamVid"}
META = "meta.json"  # written last, so its presence shows that a decoded set is complete


def folder() -> pathlib.Path:
    """The folder of prepared sets: `TFDS_DATA_DIR`, or the default of TFDS."""
    return pathlib.Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()


def find(name: str) -> pathlib.Path:
    """The folder of the newest prepared version of a set; `name` may be `set/config`.

    Raises:
        UserError: the set is not prepared; the message contains the command that prepares it.
    """
    place = folder() / name
    infos = [*place.glob("*/dataset_info.json"), *place.glob("*/*/dataset_info.json")]
    versions = [info.parent for info in infos if _version(info.parent)]
    if not versions:
        build = f"tfds build {name} --file_format=array_record"
        command = OURS.get(name, f"pip install 'dlcourse[prepare]' && {build}")
        raise UserError(
            f"The data set '{name}' is not prepared in {folder()} (TFDS_DATA_DIR). Prepare it:\n"
            f"  {command} --data_dir={folder()}"
        )
    return max(versions, key=_version)


def _version(place: pathlib.Path) -> tuple[int, ...]:
    parts = place.name.split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def load(
    name: str, features: Sequence[str], *, stream: bool = False
) -> tuple[Mapping[str, np.ndarray] | Source, dict[str, int], tuple[str, ...]]:
    """Opens a prepared set.

    Args:
        name: the TFDS name.
        features: the features to read.
        stream: read examples from disk on demand. A set that takes more than `MEMORY_LIMIT` when
            decoded, or whose examples differ in size, is always streamed.

    Returns:
        The examples of all splits one after another, the size of each split, and the class names
        if `label` is among the features.

    Raises:
        UserError: the set is not prepared, lacks a feature or a split, or a package is not
            installed.
    """
    place = find(name)
    cached = cache_folder() / _fingerprint(place, features)
    if not stream and (cached / META).exists():
        return _from_cache(cached, features)

    purpose = f"the data set '{name}'"
    tfds = require("tensorflow_datasets", purpose)
    require("array_record", purpose)  # TFDS imports it when a file is opened
    builder = tfds.builder_from_directory(place)
    missing = [feature for feature in features if feature not in builder.info.features]
    if missing:
        raise UserError(
            f"The data set '{name}' has no feature '{missing[0]}'; it has "
            f"{', '.join(builder.info.features)}."
        )
    order = ("train", "validation", "test")
    sizes = {
        split: builder.info.splits[split].num_examples
        for split in order
        if split in builder.info.splits
    }
    absent = {"train", "test"} - set(sizes)
    if absent:
        raise UserError(f"The data set '{name}' has no {absent.pop()} split.")
    names = builder.info.features["label"].names if "label" in features else []
    records = Records([builder.as_data_source(split=split) for split in sizes], features)
    if stream or _decoded_bytes(builder.info.features, features, len(records)) > MEMORY_LIMIT:
        return records, sizes, tuple(names)
    _decode(records, sizes, names, cached)
    return _from_cache(cached, features)


def splits(sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The numbers of the examples of each split, for splits stored one after another.

    Without a validation split, a random twelfth of the train split is used, always the same.

    Args:
        sizes: number of examples of `train`, perhaps `validation`, and `test`, in this order.
    """
    train = np.arange(sizes["train"])
    if "validation" in sizes:
        validation = np.arange(sizes["validation"]) + len(train)
    else:
        train, validation = split_off(len(train) // 12, len(train))
    start = sum(size for split, size in sizes.items() if split != "test")
    return {
        "train": train,
        "validation": validation,
        "test": np.arange(sizes["test"]) + start,
    }


class Records:
    """The records of several splits as one `Source` of decoded examples."""

    def __init__(self, parts: Sequence[Any], features: Sequence[str]) -> None:
        self.parts, self.features = parts, features
        self.ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> Example:
        part = int(np.searchsorted(self.ends, index, side="right"))
        start = self.ends[part] - len(self.parts[part])
        record = self.parts[part][int(index - start)]
        # TFDS labels have 64 bits; JAX uses 32.
        return {
            name: np.asarray(record[name], np.int32)
            if np.issubdtype(np.asarray(record[name]).dtype, np.signedinteger)
            else np.asarray(record[name])
            for name in self.features
        }


def cache_folder() -> pathlib.Path:
    """The folder of decoded sets of this user."""
    platformdirs = require("platformdirs", "the cache of decoded data sets")
    return pathlib.Path(platformdirs.user_cache_dir("dlcourse")) / "sets"


def _fingerprint(place: pathlib.Path, features: Sequence[str]) -> str:
    stamp = (place / "dataset_info.json").read_bytes() + "\0".join(features).encode()
    stamp += str(place.resolve()).encode()
    return f"{place.parent.name}-{place.name}-{hashlib.sha256(stamp).hexdigest()[:12]}"


def _decoded_bytes(spec: Any, features: Sequence[str], count: int) -> float:
    """Memory of the decoded examples in bytes; infinite if their shapes vary."""
    shapes = [spec[name].shape for name in features]
    if any(axis is None for shape in shapes for axis in shape):
        return float("inf")
    sizes = [int(np.prod(spec[n].shape)) * np.dtype(spec[n].np_dtype).itemsize for n in features]
    return float(sum(sizes) * count)


def _decode(
    records: Records, sizes: Mapping[str, int], names: Sequence[str], cached: pathlib.Path
) -> None:
    """Decodes all records into one array per feature and moves the finished folder into place."""
    track = require("rich.progress", "decoding a data set").track
    cached.parent.mkdir(parents=True, exist_ok=True)
    unfinished = pathlib.Path(tempfile.mkdtemp(dir=cached.parent))
    first = records[0]
    arrays = {
        name: np.lib.format.open_memmap(
            unfinished / f"{name}.npy", "w+", value.dtype, (len(records), *value.shape)
        )
        for name, value in first.items()
    }

    def decode(start: int) -> None:
        for index in range(start, min(start + 512, len(records))):
            for name, value in records[index].items():
                arrays[name][index] = value

    # Decoding PNG and JPEG releases the global interpreter lock, so threads help.
    starts = range(0, len(records), 512)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in track(pool.map(decode, starts), "decoding once", total=len(starts)):
            pass
    for array in arrays.values():
        array.flush()
    (unfinished / META).write_text(json.dumps({"sizes": sizes, "names": names}))
    try:
        unfinished.rename(cached)
    except OSError:  # another process has decoded the same set in the meantime
        shutil.rmtree(unfinished)


def _from_cache(
    cached: pathlib.Path, features: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, int], tuple[str, ...]]:
    arrays = {name: np.load(cached / f"{name}.npy", mmap_mode="r") for name in features}
    meta = json.loads((cached / META).read_text())
    return arrays, meta["sizes"], tuple(meta["names"])
