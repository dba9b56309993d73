"""Examples addressed by number: a batch is a function of the step, and there is no iterator."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from dlcourse.errors import UserError

Example = dict[str, np.ndarray]


@runtime_checkable
class Source(Protocol):
    """Examples read one at a time, by number: what Grain calls a random-access data source."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Example: ...


def _as_they_are(batch: dict[str, Any]) -> dict[str, Any]:
    return batch


def check_labels(name: str, labels: np.ndarray, classes: Sequence[str]) -> None:
    """Refuses labels of the set `name` that are not `[examples]` numbers of its classes.

    Raises:
        UserError: another rank, another kind of number, or out of range.
    """
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            f"The labels of '{name}' are {labels.dtype} of shape {labels.shape}; "
            "integers of shape [examples] are needed."
        )
    # Not `num_classes`, which refuses a set of one class where a classifier is built of it.
    least, most, count = labels.min(), labels.max(), len(classes)
    if least < 0 or most >= count:
        raise UserError(
            f"The labels of '{name}' run from {least} to {most}; "
            f"its {count} classes are 0 to {count - 1}."
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A set of examples, and which of them belong to which split.

    Attributes:
        name: what the set is called on the screen.
        examples: a dict of arrays with the examples along the first axis, for a set that fits in
            memory; or a `Source`, for one that is streamed. All splits stand in it together.
        splits: the numbers of the examples of `train`, `validation` and `test`.
        prepare: what the device does to a batch before the learner sees it (uint8 to float, say).
        classes: the names of the classes, if the examples are labelled.
    """

    name: str
    examples: Mapping[str, np.ndarray] | Source
    splits: Mapping[str, np.ndarray]
    prepare: Callable[[dict[str, Any]], dict[str, Any]] = _as_they_are
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for split, indices in self.splits.items():
            if len(indices) == 0:
                raise UserError(f"The {split} split of '{self.name}' is empty.")
        labels = self.examples.get("label") if isinstance(self.examples, Mapping) else None
        if labels is not None and self.classes and labels.ndim == 1:
            check_labels(self.name, labels, self.classes)

    @property
    def num_classes(self) -> int:
        """How many classes a classifier of this set has to tell apart.

        Raises:
            UserError: there are not two.
        """
        if len(self.classes) < 2:
            has = f"one class, {self.classes[0]}" if self.classes else "no classes"
            raise UserError(f"'{self.name}' has {has}: there is nothing to tell apart.")
        return len(self.classes)

    @property
    def in_memory(self) -> bool:
        return isinstance(self.examples, Mapping)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one example's arrays."""
        return {name: array.shape[1:] for name, array in self.read(np.zeros(1, int)).items()}

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The examples of these numbers, stacked, with `index`, on the host and unprepared.

        Args:
            indices: integers of any shape `[...]`; every array of the result begins with it.
        """
        flat = np.asarray(indices).reshape(-1)
        if isinstance(self.examples, Mapping):
            batch = {name: array[flat] for name, array in self.examples.items()}
        else:
            rows = [self.examples[int(index)] for index in flat]
            batch = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        batch["index"] = flat.astype(np.int32)
        return {name: a.reshape(*np.shape(indices), *a.shape[1:]) for name, a in batch.items()}

    def with_fewer(self, count: int) -> "Dataset":
        """The same set with `count` of its training examples; of two counts, less is part of more.

        Raises:
            UserError: there are not so many, or none is asked for.
        """
        train = self.splits["train"]
        if not 1 <= count <= len(train):
            raise UserError(
                f"{count} training examples were asked for; '{self.name}' has {len(train)}."
            )
        _, kept = split_off(count, len(train))
        return dataclasses.replace(self, splits={**self.splits, "train": train[kept]})

    def batch_indices(self, step: int, steps: int, batch_size: int, seed: int) -> np.ndarray:
        """Which examples the batches of `steps` steps hold, from `step` on: `[steps, batch_size]`.

        Training walks through the endless row of epochs, each a fresh permutation of the train
        split, so every example is seen exactly once an epoch and none is dropped at its end.
        """
        train = self.splits["train"]
        first, last = step * batch_size, (step + steps) * batch_size
        epochs = range(first // len(train), -(-last // len(train)))
        order = np.concatenate([_permutation(len(train), seed, epoch) for epoch in epochs])
        offset = epochs.start * len(train)
        return train[order[first - offset : last - offset]].reshape(steps, batch_size)

    def batch(self, step: int, batch_size: int, seed: int) -> dict[str, Any]:
        """The batch that step `step` trains on, prepared: any past batch can be looked at again."""
        return self.prepare(self.read(self.batch_indices(step, 1, batch_size, seed)[0]))

    def padded(self, split: str, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """A split cut into whole batches: indices and mask, both `[batches, batch_size]`.

        The mask is 1 for each example of the split, once, and 0 for the padding of the last batch.
        """
        indices = self.splits[split]
        batches = -(-len(indices) // batch_size)
        padding = batches * batch_size - len(indices)
        mask = np.concatenate([np.ones(len(indices), np.float32), np.zeros(padding, np.float32)])
        indices = np.concatenate([indices, np.repeat(indices[:1], padding)])
        return indices.reshape(batches, batch_size), mask.reshape(batches, batch_size)


@functools.lru_cache(maxsize=64)
def _permutation(size: int, seed: int, epoch: int) -> np.ndarray:
    """The order of one epoch, drawn from a stream of its own (a counter-based generator)."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(size)


def split_off(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cuts `range(size)` at random into `size - count` numbers and `count`, always the same way."""
    order = np.random.Generator(np.random.Philox(key=[2024, 0])).permutation(size)
    return np.sort(order[count:]), np.sort(order[:count])
