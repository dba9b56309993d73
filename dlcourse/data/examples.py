"""Examples of one's own in the form that a set has them."""

import numpy as np

from dlcourse.data.dataset import Dataset
from dlcourse.errors import UsageError


def as_examples(data: Dataset, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """A batch without labels, as `data.read` would give it.

    Args:
        data: whose examples hold an `image` or `features`.
        inputs: `[examples, ...]`; images are integers with all the range of their type, or floats
            in [0, 1].

    Raises:
        UsageError: the examples of the set hold something else, or have another shape.
    """
    example = data.read(data.splits["train"][:1])
    names = [name for name in ("image", "features") if name in example]
    if not names:
        raise UsageError(f"The examples of '{data.name}' hold {', '.join(example)} and no image.")
    like = example[names[0]]
    if inputs.shape[1:] != like.shape[1:]:
        raise UsageError(
            f"The examples have the shape {list(inputs.shape[1:])}; those of '{data.name}' have "
            f"{list(like.shape[1:])}."
        )
    whole, given = np.issubdtype(like.dtype, np.integer), np.issubdtype(inputs.dtype, np.integer)
    if names[0] == "image" and whole and not given:
        inputs = np.round(np.clip(inputs, 0, 1) * np.iinfo(like.dtype).max)
    elif names[0] == "image" and given and inputs.dtype != like.dtype:
        inputs = inputs / np.iinfo(inputs.dtype).max
        inputs = np.round(inputs * np.iinfo(like.dtype).max) if whole else inputs
    return {names[0]: inputs.astype(like.dtype)}
