"""Arrays of one's own as a data set, from Python or from an `.npz` file."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from dlcourse.data import tfds
from dlcourse.data.dataset import Dataset
from dlcourse.errors import UsageError, UserError, reason

Arrays = Mapping[str, Any]
# What others call them; after it comes `_train`, `_val`, `_validation` or `_test`, or nothing.
NAMES = {"x": "image", "images": "image", "y": "label", "labels": "label"}


def scale(batch: dict[str, Any]) -> dict[str, Any]:
    """Images of type uint8 or uint16, with all their range, to float32 in [0, 1].

    A batch without images, such as one for a sampler, stays as it is.
    """
    if "image" not in batch:
        return batch
    image = jnp.asarray(batch["image"])
    return batch | {"image": image.astype(jnp.float32) / jnp.iinfo(image.dtype).max}


def from_arrays(
    train: Arrays,
    validation: Arrays | None = None,
    test: Arrays | None = None,
    *,
    name: str = "own",
    classes: Sequence[str] = (),
) -> Dataset:
    """A data set of arrays whose first axis has the examples.

        images = data.from_arrays({"image": x, "label": y})

    Args:
        train: arrays by name, `[examples, ...]`. The name `image` may hold uint8 or uint16, which
            become float32 in [0, 1], or floats, which stay as they are; of shape `[examples,
            height, width]` or `[examples, height, width, channels]`. The name `label` holds
            integers from 0.
        validation, test: as `train`. A missing test split is a sixth of the train split, then a
            missing validation split a twelfth of the rest, at random and always the same.
        name: in messages.
        classes: the class names; "0", "1", … by default.

    Returns:
        A set whose batches hold these arrays.

    Raises:
        UserError: arrays differ in length or hold no numbers, splits differ in their arrays, or
            labels are no class numbers.
    """
    given = {"train": train, "validation": validation, "test": test}
    parts = {split: dict(arrays) for split, arrays in given.items() if arrays is not None}
    for split, arrays in parts.items():
        shapes = {key: np.shape(array)[1:] for key, array in arrays.items()}
        expected = {key: np.shape(array)[1:] for key, array in train.items()}
        if shapes != expected:
            raise UserError(
                f"The examples of the {split} split of '{name}' have the shapes {shapes}, those of "
                f"the train split {expected}."
            )
    examples = {
        key: np.concatenate([np.asarray(arrays[key]) for arrays in parts.values()]) for key in train
    }
    sizes = {split: len(next(iter(arrays.values()))) for split, arrays in parts.items()}
    label = examples.get("label")
    if label is not None and np.issubdtype(label.dtype, np.integer) and label.ndim == 1:
        if not classes:
            classes = tuple(map(str, range(label.max() + 1)))
        examples["label"] = label.astype(np.int32)
    if "image" in examples and examples["image"].ndim == 3:
        examples["image"] = examples["image"][..., None]
    kind = examples["image"].dtype if "image" in examples else None
    if kind is not None and np.issubdtype(kind, np.floating):
        examples["image"] = examples["image"].astype(np.float32)
    made = Dataset(name, examples, tfds.splits(sizes), classes=tuple(classes))
    return dataclasses.replace(made, prepare=scale) if kind in (np.uint8, np.uint16) else made


def from_npz(name: str) -> Dataset:
    """The arrays of an `.npz` file; see `from_arrays`.

    They are named `image` and `label`, or `x` and `y`; with splits of their own `x_train`,
    `y_train`, `x_test` and so on, as Keras has them. Nothing is unpickled.

    Args:
        name: the path of the file.

    Raises:
        UserError: it cannot be read, or does not hold such arrays.
    """
    place = pathlib.Path(name).expanduser()
    try:
        with np.load(place, allow_pickle=False) as file:
            found = {key: file[key] for key in file.files}
    except OSError as error:
        raise UsageError(f"{name} cannot be read ({error.strerror or reason(error)}).") from error
    except ValueError as error:
        raise UserError(f"{name} is no file of plain arrays ({reason(error)}).") from error
    parts: dict[str, dict[str, np.ndarray]] = {}
    own = {one: split for split, names in tfds.SPLITS.items() for one in names}
    for key, array in found.items():
        stem, _, end = key.rpartition("_")
        stem, split = (stem, own[end]) if end in own else (key, "train")
        parts.setdefault(split, {})[NAMES.get(stem.lower(), stem)] = array
    if "image" not in parts.get("train", {}) or "label" not in parts["train"]:
        raise UserError(
            f"{name} holds {', '.join(found) or 'nothing'}; it needs `image` and `label`, or "
            "`x_train`, `y_train`, `x_test` and `y_test`."
        )
    return from_arrays(parts["train"], parts.get("validation"), parts.get("test"), name=name)
