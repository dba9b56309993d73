"""Playing environments side by side: moves in training, and whole episodes in evaluation."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from dlcourse import metrics, streams
from dlcourse.environments import Environment
from dlcourse.errors import UserError
from dlcourse.learner import Apply, Batch, Metrics, State


class Moved(NamedTuple):
    """What a move in each of several worlds led to.

    Attributes:
        worlds: the states to go on from; a new episode where one ended.
        next_view: the observation after the move. Where an episode ended it is that of its last
            state, and not of the new episode.
        reward: of the move.
        terminated: whether the last state is terminal, so that nothing follows it.
        ended: whether the episode ended, terminated or truncated.
    """

    worlds: Any
    next_view: Shaped[Array, "worlds ..."]
    reward: Float[Array, " worlds"]
    terminated: Bool[Array, " worlds"]
    ended: Bool[Array, " worlds"]


def reset_worlds(environment: Environment, key: Key[Array, ""], count: int) -> Any:
    """The first states of `count` episodes."""
    return jax.vmap(environment.reset)(jax.random.split(key, count))


def move_worlds(
    environment: Environment, worlds: Any, action: Int[Array, " worlds"], key: Key[Array, ""]
) -> Moved:
    """One move in every world; where an episode ends, another begins."""
    moved, reward, terminated, truncated = jax.vmap(environment.step)(worlds, action)
    ended = terminated | truncated
    fresh = reset_worlds(environment, key, len(action))
    return Moved(
        jax.vmap(_where)(ended, fresh, moved),
        jax.vmap(environment.observe)(moved),
        reward,
        terminated,
        ended,
    )


def require_actions(environment: Environment, outputs: int) -> None:
    """Refuses a network whose outputs are not the actions of the environment.

    Raises:
        UserError: with both numbers.
    """
    if outputs != environment.num_actions:
        raise UserError(
            f"The network has {outputs} outputs, and {type(environment).__name__} has "
            f"{environment.num_actions} actions; it needs one output for each."
        )


def evaluation(
    environment: Environment, apply: Apply, *, sampled: bool = False
) -> Callable[[State, Batch], Metrics]:
    """`(state, batch) -> metrics`: one episode for each example, whose number draws its beginning.

    The metrics are the environment's `score` when an episode ends, of greedy play, and
    `random_return` of random play from the same beginnings.

    Args:
        environment: the world.
        apply: `(state, {"view": views}, None) -> preferences`, `[batch, actions]`; the greatest is
            the greedy action.
        sampled: also measure `sampled_return` of actions drawn from the softmax of preferences.
    """

    def evaluate(state: State, batch: Batch) -> Metrics:
        keys = jax.vmap(jax.random.split)(streams.of_examples("episode", batch["episode"]))
        starts = jax.vmap(environment.reset)(keys[:, 0])

        def at_move(number: Any) -> Any:
            return jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys[:, 1], number)

        def random(number: Any, views: Any) -> Any:
            draw = lambda key: jax.random.randint(key, (), 0, environment.num_actions)  # noqa: E731
            return jax.vmap(draw)(at_move(number))

        def learned(number: Any, views: Any) -> Any:
            """Greedy actions in the first half of the worlds, drawn ones in the second."""
            preferences = apply(state, {"view": views}, None)
            if not sampled:
                return jnp.argmax(preferences, axis=-1)
            first, second = jnp.split(preferences, 2)
            drawn = jax.vmap(jax.random.categorical)(at_move(number), second)
            return jnp.concatenate([jnp.argmax(first, axis=-1), drawn])

        def played(starts: Any, act: Callable[[Any, Any], jax.Array]) -> dict[str, Any]:
            return jax.vmap(environment.score)(_play(environment, starts, act))

        # One program plays both halves: twice the worlds cost less than two loops to compile.
        both = jax.tree.map(lambda leaf: jnp.concatenate([leaf] * (1 + sampled)), starts)
        count = len(batch["episode"])
        scores = played(both, learned)
        measured = {name: each[:count] for name, each in scores.items()}
        measured["random_return"] = played(starts, random)["return"]
        if sampled:
            measured["sampled_return"] = scores["return"][count:]
        return {name: metrics.mean(each, batch["mask"]) for name, each in measured.items()}

    return evaluate


def as_floats(views: Shaped[Array, "..."]) -> Float[Array, "..."]:
    """Views of any dtype, as a network takes them; they are remembered in their own dtype."""
    return views.astype(jnp.float32)


def _play(environment: Environment, starts: Any, act: Callable[[Any, Any], jax.Array]) -> Any:
    """The last states of episodes from these beginnings."""

    def move(number: Any, playing: Any) -> Any:
        current, over = playing
        action = act(number, jax.vmap(environment.observe)(current))
        moved, _, terminated, truncated = jax.vmap(environment.step)(current, action)
        # An episode that has ended stays as it ended.
        return jax.vmap(_where)(over, current, moved), over | terminated | truncated

    over = jnp.zeros(jax.tree.leaves(starts)[0].shape[0], bool)
    return jax.lax.fori_loop(0, environment.duration, move, (starts, over))[0]


def _where(condition: jax.Array, one: Any, other: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)
