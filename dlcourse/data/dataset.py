"""Data sets with numbered examples: a batch is a function of the step, without an iterator."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from dlcourse.data.checks import check_arrays, check_labels, check_split
from dlcourse.data.permutation import permuted
from dlcourse.errors import Unreadable, UsageError, UserError, reason

DAMAGED = -2  # in place of the label of an example that cannot be read

Example = dict[str, np.ndarray]


@runtime_checkable
class Source(Protocol):
    """Examples that are read one at a time by number (in Grain: a random-access data source)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Example: ...


@runtime_checkable
class Labelled(Source, Protocol):
    """A source that knows its labels without making the examples."""

    def labels(self) -> np.ndarray:
        """The label of each example, integers `[examples]`; `DAMAGED` where one is unreadable."""
        ...


def _identity(batch: dict[str, Any]) -> dict[str, Any]:
    return batch


def take(array: Any, index: Any) -> Any:
    """`array[index]`, on the host or, inside a compiled program, on the device."""
    if isinstance(array, jax.Array):
        # Every number comes from the data set itself, so none needs a bounds check.
        return array.at[index].get(mode="promise_in_bounds")
    return array[index]


def rows(arrays: Mapping[str, Any], index: Any) -> dict[str, Any]:
    """The usual examples in memory: example i is row i of every array."""
    return {name: take(array, index) for name, array in arrays.items()}


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Numbered examples and their division into splits.

    Attributes:
        name: the name in messages and logs.
        examples: of all splits together. Either a dict of arrays with the examples along the first
            axis, for a set that fits in memory, or a `Source`, for a set that is streamed. Without
            arrays, an example is its number alone.
        splits: the numbers of the examples in `train`, `validation` and `test`, integers `[n]`.
        prepare: a function from batch to batch that runs on the device before the learner, for
            example the conversion from uint8 to float.
        classes: the class names; empty if the examples have no class labels.
        damaged: the examples in memory that could not be decoded, and why. They are in no split;
            training refuses them unless it may skip them.
        gather: makes the examples of numbers `[...]` from the arrays in memory. By default example
            i is row i of every array; a window of a long text begins there. It is called with NumPy
            arrays and, inside a compiled program, with those on the device.

    Raises:
        UserError: a split is empty, is not a list of numbers or has one that no example has; the
            arrays in memory differ in length; or their labels are not numbers of classes.
    """

    name: str
    examples: Mapping[str, np.ndarray] | Source
    splits: Mapping[str, np.ndarray]
    prepare: Callable[[dict[str, Any]], dict[str, Any]] = _identity
    classes: tuple[str, ...] = ()
    damaged: Mapping[int, str] = dataclasses.field(default_factory=dict)
    gather: Callable[[Mapping[str, Any], Any], dict[str, Any]] = rows

    def __post_init__(self) -> None:
        count: int | None = None  # any number is an example without arrays, or as `gather` says
        if not isinstance(self.examples, Mapping):
            count = len(self.examples)
        elif self.gather is rows:
            check_arrays(self.name, self.examples, self.classes)
            count = min(map(len, self.examples.values()), default=None)
        for split, numbers in self.splits.items():
            check_split(self.name, split, numbers, count)

    @property
    def num_classes(self) -> int:
        """Number of classes, for a classifier.

        Raises:
            UserError: fewer than two.
        """
        if len(self.classes) < 2:
            has = f"one class, {self.classes[0]}" if self.classes else "no classes"
            raise UserError(f"'{self.name}' has {has}; a classifier needs at least two.")
        return len(self.classes)

    def labels(self, split: str) -> np.ndarray:
        """The label of each example of a split, integers `[n]`; `DAMAGED` where it is unreadable.

        In memory this costs a look. Of a streamed set prepared by TFDS every record is read once,
        and no image is decoded; of another source every example of the split is made.

        Raises:
            UserError: a label is out of range.
            Unreadable: an example of another source cannot be read.
        """
        numbers = self.splits[split]
        if isinstance(self.examples, Mapping):
            labels = self.examples["label"][numbers]
        elif isinstance(self.examples, Labelled):
            labels = self.examples.labels()[numbers]
        else:
            labels = np.array([self._row(self.examples, int(i))["label"] for i in numbers])
        check_labels(self.name, labels[labels != DAMAGED], self.classes)
        return labels

    def class_counts(self, split: str) -> np.ndarray:
        """The number of examples of each class in a split, integers `[classes]`; see `labels`."""
        labels = self.labels(split)
        return np.bincount(labels[labels != DAMAGED], minlength=self.num_classes)

    @property
    def in_memory(self) -> bool:
        """Whether the examples are arrays and not a `Source`."""
        return isinstance(self.examples, Mapping)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the arrays of one example, `index` included.

        Raises:
            Unreadable: no example of a `Source` can be read.
        """
        count = 1 if isinstance(self.examples, Mapping) else len(self.examples)
        for number in range(count):
            try:
                example = self.read(np.array([number]))
            except Unreadable:
                if number == count - 1:
                    raise
            else:
                break
        return {name: array.shape[1:] for name, array in example.items()}

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Examples by number, on the host, before `prepare`.

        Args:
            indices: integers of any shape `[...]`.

        Returns:
            Arrays `[..., *shape of the example]`, and the numbers themselves as `index`, int32.

        Raises:
            Unreadable: an example of a `Source` cannot be read, whatever the reason.
            UserError: examples of a `Source` differ in shape.
        """
        flat = np.asarray(indices).reshape(-1)
        if isinstance(self.examples, Mapping):
            batch = self.gather(self.examples, flat)
        else:
            # Of no example too the shapes are known: those of the first.
            rows = [self._row(self.examples, int(i)) for i in flat] or [self._row(self.examples, 0)]
            stacked = {name: self._stack(name, [row[name] for row in rows]) for name in rows[0]}
            batch = {name: array[: len(flat)] for name, array in stacked.items()}
        batch["index"] = flat.astype(np.int32)
        return {name: a.reshape(*np.shape(indices), *a.shape[1:]) for name, a in batch.items()}

    def _row(self, source: Source, number: int) -> Example:
        try:
            return source[number]
        except Unreadable:
            raise
        except Exception as error:
            # Pillow raises an OSError for a broken image: further up it would be the disk's.
            raise Unreadable(self.name, number, reason(error)) from error

    def _stack(self, name: str, rows: list[Any]) -> np.ndarray:
        shapes = sorted({np.shape(row) for row in rows})
        if len(shapes) > 1:
            raise UserError(
                f"The arrays '{name}' of the examples of '{self.name}' differ in shape: "
                f"{shapes[0]} and {shapes[1]}. Give them one."
            )
        return np.stack(rows)

    def with_fewer(self, count: int) -> "Dataset":
        """The same set with only `count` training examples.

        The examples of a smaller count are a subset of those of a larger count.

        Raises:
            UsageError: `count` is less than 1 or more than the training examples.
        """
        train = self.splits["train"]
        if not 1 <= count <= len(train):
            raise UsageError(
                f"{count} training examples are requested; '{self.name}' has {len(train)}."
            )
        _, kept = split_off(count, len(train))
        return dataclasses.replace(self, splits={**self.splits, "train": train[kept]})

    def batch_indices(self, step: int, steps: int, batch_size: int, seed: int) -> np.ndarray:
        """The numbers of the examples in `steps` batches, from step `step` on.

        Training runs through an endless sequence of epochs. Each epoch is a new permutation of the
        train split, so it contains every example exactly once; a batch may span several epochs.
        The permutations are computed by index: the cost does not depend on the size of the set.

        Returns:
            `[steps, batch_size]`.
        """
        train = self.splits["train"]
        position = np.arange(step * batch_size, (step + steps) * batch_size)
        epoch, index = np.divmod(position, len(train))
        return train[permuted(index, len(train), seed, epoch)].reshape(steps, batch_size)

    def batch(self, step: int, batch_size: int, seed: int) -> dict[str, Any]:
        """The prepared batch of training step `step`; any past batch can be read again."""
        return self.prepare(self.read(self.batch_indices(step, 1, batch_size, seed)[0]))

    def padded(self, split: str, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """A split in whole batches: the numbers of the examples and a mask.

        Returns:
            Integers and float32, both `[batches, batch_size]`. The mask is 1 for each example of
            the split and 0 for the padding of the last batch.
        """
        indices = self.splits[split]
        batches = -(-len(indices) // batch_size)
        padding = batches * batch_size - len(indices)
        mask = np.concatenate([np.ones(len(indices), np.float32), np.zeros(padding, np.float32)])
        indices = np.concatenate([indices, np.repeat(indices[:1], padding)])
        return indices.reshape(batches, batch_size), mask.reshape(batches, batch_size)


def split_off(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits `range(size)` at random, with a fixed seed, into `size - count` and `count` numbers.

    Returns:
        Both parts in increasing order.
    """
    order = np.random.Generator(np.random.Philox(key=[2024, 0])).permutation(size)
    return np.sort(order[count:]), np.sort(order[:count])
