"""How batches reach the device: from arrays that live there, or streamed through Grain."""

import dataclasses
import functools
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from dlcourse.data import Dataset
from dlcourse.errors import Unreadable, UserError
from dlcourse.training.engine import processes
from dlcourse.training.engine.reader import Reader
from dlcourse.training.engine.sharding import BATCH, place

STREAMED_CHUNK = 8  # steps in a streamed chunk: enough to hide a dispatch, small in memory


class Chunk(NamedTuple):
    """The batches of up to `capacity` steps, of which the first `length` are there.

    `rows` begin with the axis of the steps, or with seeds and steps. They are the examples
    themselves, or, for a set on the device, their numbers.
    """

    rows: dict[str, jax.Array]
    length: int


@runtime_checkable
class Feed(Protocol):
    """Where the compiled program finds its batches."""

    data: Dataset
    capacity: int
    arrays: Any

    @property
    def like(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes and shardings of the rows of a training chunk."""

    def examples(self, step: int) -> list[list[int]]: ...

    def training(self, step: int, length: int) -> Chunk: ...

    def evaluation(self, split: str) -> Iterator[Chunk]: ...

    def batch(self, arrays: Any, rows: dict[str, jax.Array]) -> dict[str, jax.Array]: ...


def make_feed(
    data: Dataset,
    batch_size: int,
    seeds: list[int],
    single: bool,
    capacity: int,
    mesh: Mesh,
    skip_damaged: bool = False,
) -> "Feed":
    """The feed for a set: resident on the device if it is in memory, else streamed.

    Args:
        data: the set.
        batch_size: examples in a step.
        seeds: whose shuffles to follow.
        single: one seed without an axis of seeds.
        capacity: the most steps that a chunk may be asked for.
        mesh: where the batches go.
        skip_damaged: leave out examples that cannot be read instead of ending the run.

    Raises:
        Unreadable: an example in memory could not be decoded, and none may be skipped.
        UserError: the set is in memory on some processes and streamed on others.
    """
    if data.damaged and not skip_damaged:
        raise Unreadable(data.name, *next(iter(data.damaged.items())))
    if processes.are_joined_by(mesh):
        first, _ = processes.agree(int(data.in_memory), False)
        _, differ = processes.agree(0, bool(first) != data.in_memory)
        if differ:  # a disk without room for the cache; their programs would wait for each other
            raise UserError(f"'{data.name}' fits on some processes' disks only; use --stream.")
    if data.in_memory:
        return Resident(data, batch_size, seeds, single, capacity, mesh)
    return Streamed(data, batch_size, seeds, single, capacity, mesh, skip_damaged)


@dataclasses.dataclass(eq=False)
class _Schedule:
    """The order of the examples, common to both feeds.

    Attributes: those of `make_feed`.
    """

    data: Dataset
    batch_size: int
    seeds: list[int]
    single: bool
    capacity: int
    mesh: Mesh

    @property
    def leading(self) -> tuple[int, ...]:
        """The axes before that of the steps: the seeds, if there are several."""
        return () if self.single else (len(self.seeds),)

    def indices(self, step: int, length: int) -> np.ndarray:
        """`[length, batch]`, or `[seeds, length, batch]` for several seeds."""
        orders = [
            self.data.batch_indices(step, length, self.batch_size, seed).astype(np.int32)
            for seed in self.seeds
        ]
        return orders[0] if self.single else np.stack(orders)

    def examples(self, step: int) -> list[list[int]]:
        """The numbers of the examples that a step, counted from 1, trains on, of every seed."""
        return self.indices(step - 1, 1).reshape(len(self.seeds), -1).tolist()


@dataclasses.dataclass(eq=False)
class Resident(_Schedule):
    """A set on the device: a chunk is only the numbers of its examples.

    The arrays are copied to every device and the numbers are spread over them, so each device
    gathers its own rows and no example crosses between devices.
    """

    def __post_init__(self) -> None:
        self.arrays = {name: place(array, self.mesh) for name, array in self.data.examples.items()}  # type: ignore[union-attr]

    @property
    def like(self) -> dict[str, jax.ShapeDtypeStruct]:
        shape = (*self.leading, self.capacity, self.batch_size)
        return {"index": jax.ShapeDtypeStruct(shape, jnp.int32, sharding=_spread(shape, self.mesh))}

    def training(self, step: int, length: int) -> Chunk:
        indices = _pad(self.indices(step, length), self.capacity, axis=-2)
        return Chunk({"index": _put(indices, self.mesh)}, length)

    def evaluation(self, split: str) -> Iterator[Chunk]:
        indices, mask = self.data.padded(split, self.batch_size)
        for start in range(0, len(indices), self.capacity):
            part = slice(start, start + self.capacity)
            rows = {
                "index": _pad(indices[part], self.capacity, axis=0).astype(np.int32),
                "mask": _pad(mask[part], self.capacity, axis=0),
            }
            yield Chunk(
                {name: _put(array, self.mesh) for name, array in rows.items()}, len(indices[part])
            )

    def batch(self, arrays: Any, rows: dict[str, jax.Array]) -> dict[str, jax.Array]:
        """The examples of these numbers, gathered on the device and prepared."""
        index = rows["index"]
        return _prepare(self.data, self.data.gather(arrays, index) | rows, index.ndim == 2)


@dataclasses.dataclass(eq=False)
class Streamed(_Schedule):
    """A set on disk: Grain's threads read ahead of the device, a chunk holds the examples.

    Of several processes each reads only the rows of its own devices; the batch that they make
    together is the same for any number of them.
    """

    skip_damaged: bool

    def __post_init__(self) -> None:
        self.reader = Reader(self.data, self.skip_damaged)
        self.capacity = min(self.capacity, STREAMED_CHUNK)
        self.mine = local_rows(self.batch_size, self.mesh)
        self.arrays = ()
        self._next_step = -1
        self._ahead: Iterator[dict[str, np.ndarray]] = iter(())
        self.like  # noqa: B018  (a damaged first example is named here, before anything compiles)

    @functools.cached_property
    def like(self) -> dict[str, jax.ShapeDtypeStruct]:
        one = self.reader.read(self.data.splits["train"][:1], "train")
        del one["readable"]
        shape = (*self.leading, self.capacity, self.batch_size)
        sharding = _spread(shape, self.mesh)
        return {
            name: jax.ShapeDtypeStruct((*shape, *array.shape[1:]), array.dtype, sharding=sharding)
            for name, array in one.items()
        }

    def training(self, step: int, length: int) -> Chunk:
        if step != self._next_step:  # the first chunk, or a resumed run
            self._ahead = self._read_ahead(step)
        self._next_step = step + length
        batches = list(itertools.islice(self._ahead, length))
        axis = 0 if self.single else 1
        for batch in batches:
            del batch["readable"]
        rows = {name: np.stack([batch[name] for batch in batches], axis) for name in batches[0]}
        return self._chunk(rows, length, axis)

    def evaluation(self, split: str) -> Iterator[Chunk]:
        indices, mask = self.data.padded(split, self.batch_size)
        batches = _through_grain(
            lambda i: self.reader.read(indices[i][self.mine], split), 0, len(indices)
        )
        for start in range(0, len(indices), self.capacity):
            part = list(itertools.islice(batches, self.capacity))
            rows = {name: np.stack([batch[name] for batch in part]) for name in part[0]}
            # What stands in for a damaged example does not count.
            readable = rows.pop("readable")
            rows["mask"] = mask[start : start + len(part)][:, self.mine] * readable
            yield self._chunk(rows, len(part), 0)

    def batch(self, arrays: Any, rows: dict[str, jax.Array]) -> dict[str, jax.Array]:
        """The rows are the examples already."""
        del arrays
        return _prepare(self.data, rows, rows["index"].ndim == 2)

    def _read_ahead(self, first: int) -> Iterator[dict[str, np.ndarray]]:
        # The end is far away; the loop knows when to stop.
        return _through_grain(
            lambda step: self.reader.read(self.indices(step, 1)[..., 0, self.mine], "train"),
            first,
            2**62,
        )

    def _chunk(self, rows: dict[str, np.ndarray], length: int, axis: int) -> Chunk:
        padded = {name: _pad(array, self.capacity, axis) for name, array in rows.items()}
        spec = P(*(None,) * (axis + 1), *BATCH)
        return Chunk({n: self._place(a, spec, axis + 1) for n, a in padded.items()}, length)

    def _place(self, array: np.ndarray, spec: P, axis: int) -> jax.Array:
        """Puts the rows of this process where all processes together have the whole batch."""
        shape = (*array.shape[:axis], self.batch_size, *array.shape[axis + 1 :])

        def part(index: Any) -> np.ndarray:
            first, last, _ = index[axis].indices(self.batch_size)
            begin = int(np.searchsorted(self.mine, first))
            return array[(slice(None),) * axis + (slice(begin, begin + last - first),)]

        return jax.make_array_from_callback(shape, NamedSharding(self.mesh, spec), part)


def local_rows(batch_size: int, mesh: Mesh) -> np.ndarray:
    """Which rows of a batch lie on the devices of this process, in order."""
    places = NamedSharding(mesh, BATCH).addressable_devices_indices_map((batch_size,))
    parts = {index[0].indices(batch_size)[:2] for index in places.values() if index}
    return np.concatenate([np.arange(first, last) for first, last in sorted(parts)])


def _through_grain(read: Any, start: int, stop: int) -> Iterator[dict[str, np.ndarray]]:
    import grain

    options = grain.ReadOptions(num_threads=4, prefetch_buffer_size=4 * STREAMED_CHUNK)
    return iter(grain.MapDataset.range(start, stop).map(read).to_iter_dataset(options))


def _prepare(data: Dataset, batch: dict[str, jax.Array], seeds: bool) -> dict[str, jax.Array]:
    return jax.vmap(data.prepare)(batch) if seeds else data.prepare(batch)


def _pad(array: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Fills an axis up to `size` with its first entry, so that the program keeps its shape."""
    missing = size - array.shape[axis]
    if missing == 0:
        return array
    filler = np.repeat(np.take(array, [0], axis), missing, axis)
    return np.concatenate([array, filler], axis)


def _spread(shape: tuple[int, ...], mesh: Mesh) -> NamedSharding:
    """The sharding of rows `[..., steps, batch, ...]`; `shape` ends with the batch."""
    return NamedSharding(mesh, P(*(None,) * (len(shape) - 1), *BATCH))


def _put(rows: np.ndarray, mesh: Mesh) -> jax.Array:
    """Puts `[..., steps, batch]` onto the mesh, the batch spread over its devices."""
    return place(rows, mesh, _spread(rows.shape, mesh).spec)
