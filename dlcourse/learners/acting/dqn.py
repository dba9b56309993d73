"""Deep Q-learning: acting, and learning values from remembered transitions."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from dlcourse import losses, metrics, optim
from dlcourse.environments import Environment
from dlcourse.learner import Batch, Learner, Metrics, Rule, Trained
from dlcourse.learners.acting.playing import (
    as_floats,
    evaluation,
    move_worlds,
    require_actions,
    reset_worlds,
)
from dlcourse.learners.rule import HONOURS, forward, forward_in_training, start, update


@flax.struct.dataclass
class DQNState:
    """The state of a DQN learner.

    Attributes:
        network: the `Trained` of Q; its params are θ.
        target: θ⁻, the weights of the target network.
        worlds: the environments in play.
        replay: the last transitions (`view`, `action`, `reward`, `next_view`, `terminated`,
            `ended`), each `[rows, worlds, ...]`: a ring buffer, with move t in row t mod rows.
        moves: how many moves were made in each world.
    """

    network: Trained
    target: Any
    worlds: Any
    replay: Any
    moves: Any


def dqn(
    environment: Environment,
    model: nn.Module,
    rule: Rule,
    *,
    exploration: Callable[[ArrayLike], ArrayLike],
    discount: float = 0.9,
    target_decay: float = 0.995,
    loss: Callable[[jax.Array, jax.Array], jax.Array] = losses.huber,
    double: bool = False,
    lookahead: int = 1,
    worlds: int = 16,
    moves: int = 1,
    replay_moves: int = 4000,
) -> Learner:
    """Deep Q-learning with replay and a target network (Mnih et al., 2015; deck 003).

        y = r + γ (1 - terminated) max_a' Q(s', a'; θ⁻)
        L(θ) = E[loss(Q(s, a; θ), y)],    θ⁻ <- τ θ⁻ + (1 - τ) θ

    With `double` (van Hasselt et al., 2016) θ chooses the action that θ⁻ values, because the
    maximum over noisy values is biased upwards:

        y = r + γ (1 - terminated) Q(s', argmax_a' Q(s', a'; θ); θ⁻)

    With a `lookahead` of n (Sutton, 1988) r and s' are those of up to n moves,

        r = Σ_{k < m} γ^k r_{t+k},    s' = s_{t+m},    γ^m in place of γ

    where m < n if the episode ends before, or if move t is among the last n - 1 of the replay.
    The moves after the first are those that were made, not those of the greedy policy.

    A step makes one ε-greedy move in each of several worlds, writes these transitions into the
    replay, and updates θ once on transitions drawn from all of it: as many as the training batch
    has examples, and nothing else of that batch is used. It does so `moves` times. When an episode
    ends, another begins. An episode that only ran out of time is truncated, not terminated: its
    last state has a future, so the target bootstraps through it.

    Evaluation plays one greedy episode for each example, on a board drawn from the example's
    number, and one at random on the same board. Metrics are measured when an episode ends or after
    `environment.duration` moves. `apply` gives the values of all actions for `view`.

    The deck squares the error; Huber's loss, half the square up to 1 and linear beyond, is the
    clipped error of Mnih et al. They copy θ to θ⁻ every so often; that θ⁻ follows θ slowly is from
    Lillicrap et al. (2016). They fill the replay at random before they learn. Neither made a
    difference to the mouse, and each would need a condition here.

    Args:
        environment: the world.
        model: `model(views)`, the values Q of all actions.
        rule: how Q is trained, `config.rule(data)`.
        exploration: ε(t), the probability of a random move after t moves in each world.
        discount: γ.
        target_decay: τ.
        loss: of Q and y, one value each.
        double: whether θ chooses the action of the target.
        lookahead: n.
        worlds: how many environments are played side by side.
        moves: how many moves a step makes in each of them; the `updates` of `config.rule`.
        replay_moves: how many moves of each world are remembered.
    """
    observe = jax.vmap(environment.observe)
    value, value_in_training = forward(model, rule.policy), forward_in_training(model, rule.policy)

    def play(state: DQNState, epsilon: jax.Array, key: Any) -> tuple[Any, Any, jax.Array]:
        """One move in every world: the worlds and the replay after it, and the rewards."""
        explore_key, action_key, reset_key = jax.random.split(key, 3)
        view = observe(state.worlds)
        acting = dataclasses.replace(state.network, average=None)
        greedy = jnp.argmax(value(acting, as_floats(view)), axis=-1)
        random = jax.random.randint(action_key, (worlds,), 0, environment.num_actions)
        action = jnp.where(jax.random.bernoulli(explore_key, epsilon, (worlds,)), random, greedy)
        moved = move_worlds(environment, state.worlds, action, reset_key)
        seen = moved._asdict() | {"view": view, "action": action}
        row = state.moves % replay_moves
        replay = {name: ring.at[row].set(seen[name]) for name, ring in state.replay.items()}
        return moved.worlds, replay, moved.reward

    def remembered(replay: Any, moves: jax.Array, size: int, key: Any) -> Batch:
        """Transitions of up to `lookahead` moves, after `moves` moves in each world."""
        row_key, world_key = jax.random.split(key)

        def one(row: jax.Array, world: jax.Array) -> Batch:
            ahead = jnp.arange(lookahead)
            rows = (row + ahead) % replay_moves
            ended = jnp.cumsum(replay["ended"][rows, world])
            goes_on = jnp.concatenate([jnp.ones(1, bool), ended[:-1] == 0])
            age = (moves - 1 - row) % replay_moves  # 0 for the last move
            counts = goes_on & (ahead <= age)
            made = counts.sum()
            last = (row + made - 1) % replay_moves
            return {
                "view": replay["view"][row, world],
                "action": replay["action"][row, world],
                "reward": jnp.sum(counts * discount**ahead * replay["reward"][rows, world]),
                "discount": discount ** made.astype(jnp.float32),
                "next_view": replay["next_view"][last, world],
                "terminated": replay["terminated"][last, world],
            }

        row = jax.random.randint(row_key, (size,), 0, jnp.minimum(moves, replay_moves))
        return jax.vmap(one)(row, jax.random.randint(world_key, (size,), 0, worlds))

    def init(key: Any, batch: Batch) -> DQNState:
        params_key, reset_key = jax.random.split(key)
        current = reset_worlds(environment, reset_key, worlds)
        view = observe(current)
        values, variables = model.init_with_output(params_key, as_floats(view))
        require_actions(environment, values.shape[-1])
        network = start(rule, variables)
        rows = (replay_moves, worlds)
        replay = {
            "view": jnp.zeros((replay_moves, *view.shape), view.dtype),
            "action": jnp.zeros(rows, jnp.int32),
            "reward": jnp.zeros(rows, jnp.float32),
            "next_view": jnp.zeros((replay_moves, *view.shape), view.dtype),
            "terminated": jnp.zeros(rows, bool),
            "ended": jnp.zeros(rows, bool),
        }
        return DQNState(network, network.params, current, replay, jnp.zeros((), jnp.int32))

    def step(state: DQNState, batch: Batch, key: Any) -> tuple[DQNState, Metrics]:
        state, measured = jax.lax.scan(
            lambda state, key: move_and_learn(state, batch, key),
            state,
            jax.random.split(key, moves),
        )
        return state, jax.tree.map(lambda each: each.sum(0), measured)

    def move_and_learn(state: DQNState, batch: Batch, key: Any) -> tuple[DQNState, Metrics]:
        play_key, replay_key, loss_key = jax.random.split(key, 3)
        epsilon = jnp.asarray(exploration(state.moves), jnp.float32)
        current, replay, reward = play(state, epsilon, play_key)
        drawn = remembered(replay, state.moves + 1, len(batch["episode"]), replay_key)
        target = dataclasses.replace(state.network, params=state.target, average=None)

        def loss_of(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
            next_view = as_floats(batch["next_view"])
            after = value(target, next_view)
            choosing = after
            if double:
                learned = dataclasses.replace(state.network, average=None)
                choosing = value(learned, next_view)
            after = _at(after, jnp.argmax(choosing, axis=-1))
            y = batch["reward"] + batch["discount"] * jnp.where(batch["terminated"], 0.0, after)
            q, model_state = value_in_training(params, model_state, as_floats(batch["view"]), key)
            q = _at(q, batch["action"])
            return metrics.mean(loss(q, y)), ({"q_value": metrics.mean(q)}, model_state)

        network, measured = update(rule, loss_of)(state.network, drawn, loss_key)
        state = DQNState(
            network=network,
            target=optim.ema(state.target, network.params, target_decay),
            worlds=current,
            replay=replay,
            moves=state.moves + 1,
        )
        measured |= {"reward": metrics.mean(reward), "epsilon": metrics.scalar(epsilon)}
        return state, measured

    def apply(state: DQNState, batch: Batch, key: Any) -> jax.Array:
        return value(state.network, as_floats(batch["view"]))

    return Learner(init, step, evaluation(environment, apply), apply, HONOURS)


def _at(values: jax.Array, action: jax.Array) -> jax.Array:
    """The value of one action each, `[batch]`."""
    return jnp.take_along_axis(values, action[:, None], axis=-1)[:, 0]
