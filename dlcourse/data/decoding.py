"""All examples of a set as one file per feature, decoded by several threads."""

import contextlib
import os
import pathlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, NamedTuple

import numpy as np

from dlcourse.data.dataset import Example, Source
from dlcourse.data.optional import require
from dlcourse.data.signals import Halted
from dlcourse.errors import Unreadable, reason

Like = Mapping[str, tuple[tuple[int, ...], Any]]  # shape and type of each feature
BLOCK_BYTES, BLOCK_EXAMPLES = 2**23, 512  # the most that a thread decodes at a time


class Block(NamedTuple):
    """Some consecutive examples: their arrays, which are 0 where damaged, and what is damaged."""

    arrays: dict[str, np.ndarray]
    damaged: dict[int, str]
    readable: Example  # one of them, if there is one


def row_bytes(like: Like) -> int:
    """Memory of one decoded example."""
    return sum(int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype in like.values())


def decode_all(
    name: str, records: Source, like: Like, folder: pathlib.Path, halted: threading.Event
) -> dict[int, str]:
    """Writes `<feature>.npy` of each feature: `[examples, *shape]`.

    A full disk raises here, where a memory map would end the process with SIGBUS.

    Args:
        name: of the set, for error messages.
        records: the examples.
        like: shape and type of each feature.
        folder: where to write.
        halted: an event that stops it, within one example of each thread.

    Returns:
        The numbers of the examples that cannot be decoded, and why; another one stands in.

    Raises:
        Halted: the event was set.
        OSError: a file cannot be written, or the set cannot be read.
        Unreadable: no example can be decoded.
    """
    track = require("rich.progress", "decoding a data set").track
    size = min(BLOCK_EXAMPLES, 1 + BLOCK_BYTES // max(1, row_bytes(like)))
    parts = [range(i, min(i + size, len(records))) for i in range(0, len(records), size)]
    damaged: dict[int, str] = {}
    readable: Example = {}
    with contextlib.ExitStack() as stack:
        files = {key: stack.enter_context((folder / f"{key}.npy").open("wb")) for key in like}
        begins = {key: _header(files[key], len(records), *like[key]) for key in like}
        blocks = _in_order(lambda part: _block(records, like, part, halted), parts, halted)
        for block in track(blocks, "decoding once", total=len(parts)):
            damaged |= block.damaged
            readable = readable or block.readable
            for key, array in block.arrays.items():
                files[key].write(array.data)
        if not readable:
            raise Unreadable(name, *next(iter(damaged.items())))
        for number in damaged:
            for key, value in readable.items():
                files[key].seek(begins[key] + number * value.nbytes)
                files[key].write(value.tobytes())
    return damaged


def _header(file: IO[bytes], count: int, shape: tuple[int, ...], dtype: Any) -> int:
    """Writes the header of a `.npy` file: where its rows begin."""
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    header = {"descr": descr, "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_2_0(file, header)
    return file.tell()


def _block(records: Source, like: Like, part: range, halted: threading.Event) -> Block:
    arrays = {key: np.zeros((len(part), *shape), dtype) for key, (shape, dtype) in like.items()}
    block = Block(arrays, {}, {})
    for row, number in enumerate(part):
        if halted.is_set():
            raise Halted
        try:
            example = records[number]
        except Exception as error:
            # Too little memory, a disk or a network that fails: the example may be sound.
            if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
                raise
            block.damaged[number] = reason(error)
            continue
        block.readable.update(example)
        for key, value in example.items():
            arrays[key][row] = value
    return block


def _in_order(
    function: Callable[[range], Block], parts: Iterable[range], halted: threading.Event
) -> Iterator[Block]:
    """The results in the order of `parts`; only a few wait in memory.

    Decoding PNG and JPEG releases the global interpreter lock, so threads help.
    """
    workers = os.cpu_count() or 1
    waiting: deque[Future[Block]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for part in parts:
                waiting.append(pool.submit(function, part))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            halted.set()  # after an error no thread goes on to the end of its block
