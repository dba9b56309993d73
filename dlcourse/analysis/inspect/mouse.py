"""Episodes of the mouse game, recorded from a trained player."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from dlcourse.analysis.draw.mouse import animate, draw
from dlcourse.environments import MouseGame, MouseState
from dlcourse.learner import Apply, State


def record(game: MouseGame, apply: Apply, state: State, key: Key[Array, ""]) -> MouseState:
    """Every state of one episode, the first board included: arrays `[moves + 1, ...]`.

    Args:
        game: the rules.
        apply: the learner's forward pass, `{"view": [batch, ...]} -> actions [batch]`.
        state: the learner's.
        key: draws the board.
    """
    return jax.tree.map(np.asarray, _play(game, apply, state, key))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _play(game: MouseGame, apply: Apply, state: State, key: Key[Array, ""]) -> MouseState:
    def move(world: MouseState, number: Array) -> tuple[MouseState, MouseState]:
        views = {"view": game.observe(world)[None]}
        action = jnp.argmax(apply(state, views, jax.random.fold_in(key, number))[0])
        world = game.step(world, action)[0]
        return world, world

    start = game.reset(key)
    _, moves = jax.lax.scan(move, start, jnp.arange(game.duration))
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), start, moves)


def animated(game: MouseGame, apply: Apply, *, seed: int = 0) -> Callable[[Any], Any]:
    """`state -> animation` of one episode, always on the same board, for `training.Experiment`.

    Args:
        game, apply: as in `record`.
        seed: draws the board.
    """
    return lambda state: animate(game, record(game, apply, state, jax.random.key(seed)))


def drawn(game: MouseGame, apply: Apply, *, seed: int = 0) -> Callable[[Any], Any]:
    """`state -> figure` of the episode that `animated` shows."""
    return lambda state: draw(game, record(game, apply, state, jax.random.key(seed)))
