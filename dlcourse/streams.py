"""Named random streams: every key is derived from the seed, a name and a step, and none stored."""

import zlib

import jax
from jaxtyping import Array, Int, Key


def stream(seed: int | Int[Array, ""], name: str) -> Key[Array, ""]:
    """The key of a named stream: `fold_in(key(seed), crc32(name))`."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(name.encode()))


def at_step(key: Key[Array, ""], step: int | Int[Array, ""]) -> Key[Array, ""]:
    """The key that a stream gives to one step."""
    return jax.random.fold_in(key, step)
