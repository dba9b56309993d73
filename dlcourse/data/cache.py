"""Decoded sets on disk: written once by plain writes, read as memory maps."""

import contextlib
import errno
import fcntl
import json
import pathlib
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dlcourse.data.dataset import Source
from dlcourse.data.decoding import Like, decode_all, row_bytes
from dlcourse.data.optional import require
from dlcourse.data.signals import until_signal

META = "meta.json"  # written last, so its presence shows that a decoded set is complete
UNFINISHED, LOCK = "decoding-", "lock"
SPARE = 2**26  # bytes that stay free on the disk
A_DAY = 24 * 3600  # seconds


class Decoded(NamedTuple):
    """A decoded set.

    Attributes:
        arrays: of all examples; a readable example stands in for each damaged one.
        meta: what `write` was given to keep.
        damaged: the numbers of the examples that could not be decoded, and why.
    """

    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]
    damaged: dict[int, str]


def cache_folder() -> pathlib.Path:
    """The folder of decoded sets of this user."""
    platformdirs = require("platformdirs", "the cache of decoded data sets")
    return pathlib.Path(platformdirs.user_cache_dir("dlcourse")) / "sets"


def read(place: pathlib.Path) -> Decoded | None:
    """A decoded set; None if there is none, or none that can be read."""
    try:
        kept = json.loads((place / META).read_text())
        arrays = {name: np.load(place / f"{name}.npy", mmap_mode="r") for name in kept["arrays"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    damaged = {int(number): why for number, why in kept["damaged"].items()}
    return Decoded(arrays, kept["meta"], damaged)


def write(
    name: str,
    records: Source,
    like: Like,
    meta: Mapping[str, Any],
    place: pathlib.Path,
) -> None:
    """Decodes all examples into one array per feature and moves the finished folder into place.

    SIGINT and SIGTERM stop it within one example; nothing is left behind. The folders of processes
    that were killed are removed first.

    Args:
        name: of the set, for error messages.
        records: the examples.
        like: shape and type of each feature.
        meta: what else to keep, as JSON.
        place: the folder to write.

    Raises:
        OSError: it cannot be written, for lack of room or of permission.
        Stopped: a signal came whose handler did not raise.
        Unreadable: no example can be decoded.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        unfinished = _own_folder(place.parent, stack)
        try:
            _require_room(place.parent, row_bytes(like) * len(records) + SPARE)
            with until_signal(f"the data set '{name}' was decoded") as halted:
                damaged = decode_all(name, records, like, unfinished, halted)
            kept = {"arrays": list(like), "meta": meta, "damaged": damaged}
            (unfinished / META).write_text(json.dumps(kept))
            _move(unfinished, place)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)  # not there once it has moved


def decoded(
    name: str, records: Source, like: Like, meta: Mapping[str, Any], place: pathlib.Path
) -> Decoded | None:
    """Decodes a set as `write` does and reads it; None, with a message, if it cannot be kept."""
    try:
        write(name, records, like, meta, place)
    except OSError as error:
        print(
            f"'{name}' is streamed, because it cannot be kept decoded in {place.parent} "
            f"({error.strerror or error}).",
            file=sys.stderr,
        )
        return None
    return read(place)


def _require_room(folder: pathlib.Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            errno.ENOSPC, f"it takes {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free"
        )


def _move(unfinished: pathlib.Path, place: pathlib.Path) -> None:
    if read(place) is None:  # perhaps what a broken disk left of it
        shutil.rmtree(place, ignore_errors=True)
    try:
        unfinished.rename(place)
    except OSError:
        if read(place) is None:
            raise
        # Another process has decoded the same set in the meantime.


def _own_folder(parent: pathlib.Path, stack: contextlib.ExitStack) -> pathlib.Path:
    """A new folder that this process holds while `stack` is open; those of dead ones are removed.

    A lock ends with its process, also when that is killed. Where the file system has no locks
    nothing is removed.
    """
    with (parent / LOCK).open("w") as gate:
        # Otherwise another process could find the new folder before it is held.
        with contextlib.suppress(OSError):
            fcntl.flock(gate, fcntl.LOCK_EX)
        for left in parent.glob(f"{UNFINISHED}*"):
            with contextlib.suppress(OSError), (left / LOCK).open("w") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
        for left in parent.glob("tmp*"):  # of a version that did not lock them
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > A_DAY:
                    shutil.rmtree(left, ignore_errors=True)
        own = pathlib.Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=parent))
        file = stack.enter_context((own / LOCK).open("w"))
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
    return own
