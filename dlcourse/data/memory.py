"""Tasks that need memory: every example is generated from its number, on the device."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from dlcourse.data.dataset import Dataset
from dlcourse.data.fresh import fresh
from dlcourse.errors import UserError

SYMBOLS, REMEMBERED = 8, 10  # of the copy task
BLANK, GO = SYMBOLS, SYMBOLS + 1  # its other two symbols


def adding(length: int) -> Dataset:
    """The adding problem (Hochreiter and Schmidhuber, 1997).

    A sequence has two channels: numbers from U(0, 1), and a mark that is 1 at two places, one in
    each half. The target is the sum of the marked numbers. Predicting its mean, 1, has a squared
    error of 1/6.

    Batches hold `x`, float32 `[batch, length, 2]`, and `y`, float32 `[batch, 1]`. Every training
    example is new; 1,000 are kept for validation and 2,000 for the test.

    Raises:
        UserError: the length is below 2.
    """
    if length < 2:
        raise UserError(f"A sequence of the adding problem needs 2 places; length is {length}.")

    def example(key: Key[Array, ""]) -> dict[str, Any]:
        number_key, first_key, second_key = jax.random.split(key, 3)
        numbers = jax.random.uniform(number_key, (length,))
        first = jax.random.randint(first_key, (), 0, length // 2)
        second = jax.random.randint(second_key, (), length // 2, length)
        places = jnp.arange(length)
        marks = ((places == first) | (places == second)).astype(jnp.float32)
        return {"x": jnp.stack([numbers, marks], axis=-1), "y": jnp.sum(numbers * marks)[None]}

    return fresh(f"adding, length {length}", "adding", example)


def copying(delay: int) -> Dataset:
    """The copy task (Hochreiter and Schmidhuber, 1997; as in Arjovsky et al., 2016).

    Ten symbols of eight, `delay` blanks, of which the last is a signal, ten blanks. The target is
    blank until the signal, then the ten symbols in order. Without memory the best guess of each is
    uniform, and the mean cross-entropy 10 ln 8 / (delay + 20) nats.

    Batches hold `x`, one-hot float32 `[batch, delay + 20, 10]`, and `y`, int32 `[batch, delay +
    20]`, with classes 0 to 7 for the symbols and 8 for blank. The splits are those of `adding`.

    Raises:
        UserError: the delay is below 1.
    """
    if delay < 1:
        raise UserError(f"The copy task needs a delay of 1 place; it is {delay}.")

    def example(key: Key[Array, ""]) -> dict[str, Any]:
        symbols = jax.random.randint(key, (REMEMBERED,), 0, SYMBOLS)
        blanks = jnp.full(delay + REMEMBERED, BLANK)
        tokens = jnp.concatenate([symbols, blanks.at[delay - 1].set(GO)])
        return {"x": jax.nn.one_hot(tokens, GO + 1), "y": jnp.concatenate([blanks, symbols])}

    return fresh(f"copying, delay {delay}", "copying", example)


def reversal(length: int, symbols: int = 10) -> Dataset:
    """A sequence of random symbols, to be said backwards.

    Batches hold `x` and `y`, int32 `[batch, length]`, with `y[t] = x[length - 1 - t]`. The splits
    are those of `adding`.
    """

    def example(key: Key[Array, ""]) -> dict[str, Any]:
        tokens = jax.random.randint(key, (length,), 0, symbols)
        return {"x": tokens, "y": tokens[::-1]}

    return fresh(f"reversal, length {length}", "reversal", example)
