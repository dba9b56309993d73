"""Random permutations evaluated by index, in memory and time that do not depend on their size."""

import math

import numpy as np
from jaxtyping import Int, UInt64

# Below SMALL, each round moves an index so little that more rounds are needed.
SMALL, ROUNDS_SMALL, ROUNDS = 2**12, 24, 8
GAMMA = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio, as in SplitMix64
HALF = np.uint64(32)


def permuted(
    index: Int[np.ndarray, " n"], size: int, seed: int, epoch: int | Int[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
    """The image π(index) under a random permutation π of 0 .. size - 1.

    Each (seed, epoch) has a permutation of its own. It is a Feistel network (Luby and Rackoff,
    1988) in the form that Black and Rogaway (2002) give for any size. With a ≈ b ≈ √size and
    a b >= size, an index x = L b + R is a pair of L < a and R < b:

        L := (L + F_r(R)) mod a  in even rounds r,    R := (R + F_r(L)) mod b  in odd rounds

    Each round is invertible, so the network permutes 0 .. a b - 1. A result outside of the range
    is permuted again until it falls inside ("cycle walking"), about one index in √size at most.
    F_r is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014), keyed by seed, epoch and r.
    All arithmetic is on 64-bit integers, so the permutation is the same on every machine and in
    every version of NumPy. It is not cryptographic.

    a is even: with a and b odd every round is an even permutation of the a b pairs, and then the
    permutations of `size` indices are not equally likely. For sizes up to 8 and ideal F_r, the
    distribution after 24 rounds is within a total variation distance of 0.004 of the uniform one,
    computed exactly. The bias falls with the size and with each round; from `SMALL` on, 8 rounds
    pass the same statistical tests as NumPy's own permutation.

    Args:
        index: integers from 0 to `size - 1`.
        size: from 1 to 2^62.
        seed: any integer.
        epoch: one for all indices, or one for each.
    """
    keys = _finalized(_word(seed) + GAMMA)
    keys = np.broadcast_to(_finalized(keys ^ np.asarray(epoch).astype(np.uint64)), index.shape)
    found = _network(index.astype(np.uint64), size, keys)
    while (outside := found >= np.uint64(size)).any():
        found[outside] = _network(found[outside], size, keys[outside])
    return found.astype(np.int64)


def _network(
    index: UInt64[np.ndarray, " n"], size: int, keys: UInt64[np.ndarray, " n"]
) -> UInt64[np.ndarray, " n"]:
    """All rounds: a permutation of 0 .. a b - 1."""
    root = math.isqrt(size - 1) + 1  # the square root, rounded up
    a = root + root % 2
    b = -(-size // a)
    ranges = np.uint64(a), np.uint64(b)
    halves = list(np.divmod(index, ranges[1]))
    for number in range(ROUNDS_SMALL if size < SMALL else ROUNDS):
        moved = number % 2
        keys = keys + GAMMA
        # The upper 32 bits are the best mixed; a product scales them to the range.
        hashed = _finalized(keys + halves[1 - moved]) >> HALF
        total = halves[moved] + ((hashed * ranges[moved]) >> HALF)
        # total mod range: below the range the difference wraps around to a huge number.
        halves[moved] = np.minimum(total, total - ranges[moved])
    return halves[0] * ranges[1] + halves[1]


def _finalized(z: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64 (Stafford's variant 13): a bijection that mixes all 64 bits."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _word(seed: int) -> np.ndarray:
    # An array, because NumPy warns when a scalar wraps around.
    return np.array([seed % 2**64], np.uint64)
