"""Tokens a second of a GPT that generates: with its cache, and by computing the text again.

    python -m dlcourse.benchmark.generation

The cache has room for the text, as `models.generate_within` makes it, and then for twice as much.
All programs alternate in one process; figures are medians.
"""

import dataclasses
import functools
import statistics
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import tyro

from dlcourse import models
from dlcourse.benchmark.turns import in_turn

MODEL = models.GPT(vocabulary=65, context=1024, layers=4, heads=4, features=128)
LENGTH, TOKENS = 208, 32  # tokens of the text at its end; those of them that are timed


def cached(
    params: Any, batch: int, room: int, tokens: int = TOKENS, model: models.GPT = MODEL
) -> Callable[[], jax.Array]:
    """Reads a prompt of `LENGTH - TOKENS` and draws `tokens`, with room for `room` in the cache."""

    @jax.jit
    def run(params: Any, prompt: jax.Array) -> jax.Array:
        step = functools.partial(model.apply, params, method="decode")
        cache = model.start(batch, room)
        return models.generate(step, cache, prompt, tokens, jax.random.key(0))

    prompt = jnp.zeros((batch, LENGTH - TOKENS), jnp.int32)
    return lambda: jax.block_until_ready(run(params, prompt))


def recomputed(params: Any, batch: int, model: models.GPT = MODEL) -> Callable[[], jax.Array]:
    """Computes the whole text for its last token."""

    @jax.jit
    def run(params: Any, text: jax.Array) -> jax.Array:
        return jnp.argmax(model.apply(params, text)[:, -1], axis=-1)

    text = jnp.zeros((batch, LENGTH), jnp.int32)
    return lambda: jax.block_until_ready(run(params, text))


@dataclasses.dataclass(frozen=True)
class Options:
    """Tokens a second of a GPT that generates, with its cache and by computing the text again."""

    rounds: int = 9
    """Calls of each that are timed, after two to warm up."""


def main() -> None:
    """Runs the comparison and prints a table."""
    from rich.console import Console
    from rich.table import Table

    options = tyro.cli(Options, prog="python -m dlcourse.benchmark.generation")
    params = jax.jit(MODEL.init)(jax.random.key(0), jnp.zeros((1, 2), jnp.int32))
    table = Table(title=f"GPT of 4 x 128, {jax.devices()[0].device_kind}, jax {jax.__version__}")
    columns = ("batch", "tokens/s", "recomputed", "ratio", "time of a token, twice the cache")
    for column in columns:
        table.add_column(column, justify="right")
    for batch in (1, 16):
        functions = {"again": recomputed(params, batch)}
        for room in (LENGTH, 2 * LENGTH):
            functions[f"{room}"] = cached(params, batch, room)
            functions[f"{room}, one token"] = cached(params, batch, room, tokens=1)
        times = in_turn(functions, options.rounds)
        median = {name: statistics.median(seconds) for name, seconds in times.items()}
        token, longer = (
            (median[f"{room}"] - median[f"{room}, one token"]) / (TOKENS - 1)
            for room in (LENGTH, 2 * LENGTH)
        )
        fast, slow, ratio = batch / token, batch / median["again"], longer / token
        table.add_row(
            str(batch), f"{fast:,.0f}", f"{slow:,.0f}", f"{fast / slow:.0f}", f"{ratio:.2f}"
        )
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
