"""Named random streams: keys derive from a seed, a name and a step or example; none is stored."""

import zlib

import jax
from jaxtyping import Array, Int, Key


def stream(seed: int | Int[Array, ""], name: str) -> Key[Array, ""]:
    """The key of a named stream: `fold_in(key(seed), crc32(name))`."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(name.encode()))


def at_step(key: Key[Array, ""], step: int | Int[Array, ""]) -> Key[Array, ""]:
    """The key of a stream at one step: `fold_in(key, step)`."""
    return jax.random.fold_in(key, step)


def of_examples(name: str, index: Int[Array, " batch"]) -> Key[Array, " batch"]:
    """One key for each example: `fold_in(stream(0, name), index)`.

    A metric that draws samples with these keys does not depend on the batch size, the padding or
    the number of devices. The seed is 0, so that all runs are measured with the same samples.

    Args:
        name: of the stream; metrics with different names draw independent samples.
        index: the number of each example in its set, as `Dataset.read` returns it.
    """
    return for_each(stream(0, name), index)


def for_each(key: Key[Array, ""], index: Int[Array, " batch"]) -> Key[Array, " batch"]:
    """One key for each number: `fold_in(key, index)`."""
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, index)
