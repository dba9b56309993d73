"""Episodes recorded from a trained player, and their pictures."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from dlcourse.analysis.draw import control, mouse
from dlcourse.environments import Acrobot, CartPole, Environment, MouseGame
from dlcourse.learner import Apply, State

# What draws the episodes of an environment: `draw` and `animate` of its states.
PICTURES: dict[type, Any] = {MouseGame: mouse, CartPole: control, Acrobot: control}


def record_episode(
    environment: Environment, apply: Apply, state: State, key: Key[Array, ""]
) -> Any:
    """Every state of one greedy episode, the first included: arrays `[moves + 1, ...]`.

    Args:
        environment: the rules.
        apply: the learner's forward pass, `{"view": [batch, ...]} -> preferences`, of which the
            greatest is the action.
        state: the learner's.
        key: draws the beginning.
    """
    states, over = jax.tree.map(np.asarray, _play(environment, apply, state, key))
    moves = int(np.argmax(over)) + 1 if over.any() else len(over)
    return jax.tree.map(lambda leaf: leaf[: moves + 1], states)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _play(environment: Environment, apply: Apply, state: State, key: Key[Array, ""]) -> Any:
    """The states, and which of the moves ended the episode; the moves after that do not count."""

    def move(world: Any, number: Array) -> Any:
        views = {"view": environment.observe(world)[None]}
        action = jnp.argmax(apply(state, views, jax.random.fold_in(key, number))[0])
        world, _, terminated, truncated = environment.step(world, action)
        return world, (world, terminated | truncated)

    start = environment.reset(key)
    _, (moves, over) = jax.lax.scan(move, start, jnp.arange(environment.duration))
    joined = jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), start, moves)
    return joined, over


def animated_episode(
    environment: Environment, apply: Apply, *, seed: int = 0
) -> Callable[[Any], Any]:
    """`state -> animation` of one episode, always the same, for `training.Experiment`.

    Args:
        environment, apply: as in `record_episode`.
        seed: draws the beginning.
    """
    return functools.partial(_shown, environment, apply, seed, "animate")


def drawn_episode(environment: Environment, apply: Apply, *, seed: int = 0) -> Callable[[Any], Any]:
    """`state -> figure` of the episode that `animated_episode` shows."""
    return functools.partial(_shown, environment, apply, seed, "draw")


def _shown(environment: Environment, apply: Apply, seed: int, how: str, state: Any) -> Any:
    episode = record_episode(environment, apply, state, jax.random.key(seed))
    return getattr(PICTURES[type(environment)], how)(environment, episode)
