"""Windows of one long sequence of tokens, which lies on the device once."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse.data.dataset import Example, take

NO_TOKEN = -1  # the next token after the end of a split, which no loss counts


@dataclasses.dataclass(frozen=True)
class Windows:
    """Makes examples of tokens t: window i has the inputs and the targets

        tokens_j = t[i + j],    next_j = t[i + j + 1],    j = 0, ..., length - 1

    A window never leaves its split: beyond the end, inputs repeat its last token and targets are
    `NO_TOKEN`. It is the `gather` of a `Dataset` whose array is called `text`.

    Attributes:
        length: of a window.
        ends: where each split ends, in rising order; the last is the number of tokens.
    """

    length: int
    ends: tuple[int, ...]

    def __call__(self, arrays: Mapping[str, Any], index: Any) -> dict[str, Any]:
        """From numbers `[...]` to `tokens` and `next`, int32 `[..., length]`."""
        xp = jnp if isinstance(index, jax.Array) else np
        first = index[..., None]
        along = (1,) * index.ndim + (-1,)
        ends = np.array(self.ends, np.int32).reshape(along)
        end = xp.min(xp.where(first < ends, ends, self.ends[-1]), axis=-1, keepdims=True)
        places = first + np.arange(self.length + 1, dtype=np.int32).reshape(along)
        window = take(arrays["text"], xp.minimum(places, end - 1)).astype(np.int32)
        targets = xp.where(places < end, window, NO_TOKEN)[..., 1:].astype(np.int32)
        return {"tokens": window[..., :-1], "next": targets}

    def splits(self, names: tuple[str, ...] = ("train", "validation", "test")) -> dict[str, Any]:
        """The numbers of the windows of each split.

        Training takes every window that lies inside its split. Of the others each token but the
        first is a target exactly once: windows follow one another, and the last may be short.
        """
        starts = dict(zip(names, (0, *self.ends[:-1]), strict=True))
        stops = dict(zip(names, self.ends, strict=True))
        return {
            name: np.arange(starts[name], stops[name] - self.length)
            if name == "train"
            else np.arange(starts[name], stops[name] - 1, self.length)
            for name in names
        }


class StreamedWindows:
    """The same windows as a `Source`, which makes them one at a time.

    Args:
        arrays: of which `gather` makes windows.
        gather: as of a `Dataset`.
        count: numbers of windows there are.
    """

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        gather: Callable[[Mapping[str, Any], Any], dict[str, Any]],
        count: int,
    ) -> None:
        self.arrays, self.gather, self.count = arrays, gather, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        return self.gather(self.arrays, np.array(index))
