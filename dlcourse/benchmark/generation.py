"""Tokens a second of a GPT that generates: with its cache, and by computing the text again.

    python -m dlcourse.benchmark.generation

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


def cached(params: Any, batch: int, room: int) -> Callable[[], object]:
    """Draws the last `TOKENS` of a text of `LENGTH`, with room for `room` in the cache."""

    @jax.jit
    def run(params: Any, prompt: jax.Array) -> jax.Array:
        step = functools.partial(MODEL.apply, params, method="decode")
        cache = MODEL.start(batch, room)
        return models.generate(step, cache, prompt, TOKENS, jax.random.key(0))

    prompt = jnp.zeros((batch, LENGTH - TOKENS), jnp.int32)
    return lambda: jax.block_until_ready(run(params, prompt))


def recomputed(params: Any, batch: int) -> Callable[[], object]:
    """Computes the whole text for the last token."""

    @jax.jit
    def run(params: Any, text: jax.Array) -> jax.Array:
        return jnp.argmax(MODEL.apply(params, text)[:, -1], axis=-1)

    text = jnp.zeros((batch, LENGTH), jnp.int32)
    return lambda: jax.block_until_ready(run(params, text))


def prompts(params: Any, batch: int) -> Callable[[], object]:
    """Reads the prompt of `cached` and draws one token, which its time contains too."""

    @jax.jit
    def run(params: Any, prompt: jax.Array) -> jax.Array:
        step = functools.partial(MODEL.apply, params, method="decode")
        return models.generate(step, MODEL.start(batch, 256), prompt, 1, jax.random.key(0))

    prompt = jnp.zeros((batch, LENGTH - TOKENS), jnp.int32)
    return lambda: jax.block_until_ready(run(params, prompt))


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
    for column in ("batch", "tokens/s", "recomputed", "ratio", "time of a token, cache 512 / 256"):
        table.add_column(column, justify="right")
    for batch in (1, 16):
        functions = {"prompt": prompts(params, batch), "again": recomputed(params, batch)}
        functions |= {str(room): cached(params, batch, room) for room in (256, 512)}
        times = in_turn(functions, options.rounds)
        median = {name: statistics.median(seconds) for name, seconds in times.items()}
        token = {n: (median[n] - median["prompt"]) / (TOKENS - 1) for n in ("256", "512")}
        fast, slow = batch / token["256"], batch / median["again"]
        ratio = token["512"] / token["256"]
        table.add_row(
            str(batch), f"{fast:,.0f}", f"{slow:,.0f}", f"{fast / slow:.0f}", f"{ratio:.2f}"
        )
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
