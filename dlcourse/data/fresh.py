"""Sets in which every training example is new."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from dlcourse import streams
from dlcourse.data.dataset import Dataset


def fresh(
    name: str,
    stream: str,
    example: Callable[[Key[Array, ""]], dict[str, Any]],
    *,
    validation: int = 1000,
    test: int = 2000,
) -> Dataset:
    """Examples generated on the device, each from its number alone.

    Args:
        name: of the set.
        stream: of random numbers; see `streams.of_examples`.
        example: makes one from its key.
        validation, test: the sizes of these splits.
    """

    def prepare(batch: dict[str, Any]) -> dict[str, Any]:
        if "index" not in batch:  # a user's own, for a trained model
            return batch
        return batch | jax.vmap(example)(streams.of_examples(stream, jnp.asarray(batch["index"])))

    ends = np.cumsum([validation, test, 2**24])
    parts = zip(("validation", "test", "train"), [0, *ends[:-1]], ends, strict=True)
    return Dataset(name, {}, {split: np.arange(a, b) for split, a, b in parts}, prepare)
