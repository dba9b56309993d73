"""Deep Q-learning: acting, and learning values from remembered transitions."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from dlcourse import metrics, optim, streams
from dlcourse.environments import Environment
from dlcourse.learner import Batch, Learner, Metrics, Rule, Trained
from dlcourse.learners.rule import HONOURS, forward, forward_in_training, start, update


@flax.struct.dataclass
class DQNState:
    """The state of a DQN learner.

    Attributes:
        network: the `Trained` of Q; its params are θ.
        target: θ⁻, the weights of the target network.
        worlds: the environments in play.
        replay: the last transitions (`view`, `action`, `reward`, `next_view`, `terminated`), each
            `[rows, worlds, ...]`: a ring buffer, with move t in row t mod rows.
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
    worlds: int = 16,
    replay_moves: int = 4000,
) -> Learner:
    """Deep Q-learning with replay and a target network (Mnih et al., 2015; deck 003).

        y = r + γ (1 - terminated) max_a' Q(s', a'; θ⁻)
        L(θ) = E[huber(Q(s, a; θ) - y)],    θ⁻ <- τ θ⁻ + (1 - τ) θ

    A step makes one ε-greedy move in each of several worlds, writes these transitions into the
    replay, and updates θ once on transitions drawn from all of it: as many as the training batch
    has examples, and nothing else of that batch is used. When an episode ends, another begins. An
    episode that only ran out of time is truncated, not terminated: its last state has a future,
    so the target bootstraps through it.

    Evaluation plays one greedy episode for each example, on a board drawn from the example's
    number, and one at random on the same board. Metrics are measured when an episode ends or after
    `environment.duration` moves. `apply` gives the greedy actions for `view`.

    The deck squares the error; Huber's loss, half the square up to 1 and linear beyond, is the
    clipped error of Mnih et al. They copy θ to θ⁻ every so often; that θ⁻ follows θ slowly is from
    Lillicrap et al. (2016). They fill the replay at random before they learn. Neither made a
    difference to the mouse, and each would need a condition here.

    Args:
        environment: the world.
        model: `model(views)`, the values Q of all actions.
        rule: how Q is trained, `config.rule(data)`.
        exploration: ε(t), the probability of a random move at step t.
        discount: γ.
        target_decay: τ.
        worlds: how many environments are played side by side.
        replay_moves: how many moves of each world are remembered.
    """
    observe = jax.vmap(environment.observe)
    value, value_in_training = forward(model, rule.policy), forward_in_training(model, rule.policy)

    def play(state: DQNState, epsilon: jax.Array, key: Any) -> tuple[Any, Any, jax.Array]:
        """One move in every world: the worlds and the replay after it, and the rewards."""
        explore_key, action_key, reset_key = jax.random.split(key, 3)
        view = observe(state.worlds)
        greedy = jnp.argmax(
            value(dataclasses.replace(state.network, average=None), as_floats(view)), axis=-1
        )
        random = jax.random.randint(action_key, (worlds,), 0, environment.num_actions)
        action = jnp.where(jax.random.bernoulli(explore_key, epsilon, (worlds,)), random, greedy)
        moved, reward, terminated, truncated = jax.vmap(environment.step)(state.worlds, action)
        seen = {
            "view": view,
            "action": action,
            "reward": reward,
            "next_view": observe(moved),
            "terminated": terminated,
        }
        row = state.moves % replay_moves
        replay = {name: ring.at[row].set(seen[name]) for name, ring in state.replay.items()}
        fresh = jax.vmap(environment.reset)(jax.random.split(reset_key, worlds))
        return jax.vmap(_where)(terminated | truncated, fresh, moved), replay, reward

    def init(key: Any, batch: Batch) -> DQNState:
        params_key, reset_key = jax.random.split(key)
        current = jax.vmap(environment.reset)(jax.random.split(reset_key, worlds))
        view = observe(current)
        network = start(rule, model.init(params_key, as_floats(view)))
        rows = (replay_moves, worlds)
        replay = {
            "view": jnp.zeros((replay_moves, *view.shape), view.dtype),
            "action": jnp.zeros(rows, jnp.int32),
            "reward": jnp.zeros(rows, jnp.float32),
            "next_view": jnp.zeros((replay_moves, *view.shape), view.dtype),
            "terminated": jnp.zeros(rows, bool),
        }
        return DQNState(network, network.params, current, replay, jnp.zeros((), jnp.int32))

    def step(state: DQNState, batch: Batch, key: Any) -> tuple[DQNState, Metrics]:
        play_key, row_key, world_key, loss_key = jax.random.split(key, 4)
        epsilon = jnp.asarray(exploration(state.moves), jnp.float32)
        current, replay, reward = play(state, epsilon, play_key)
        size = batch["episode"].shape
        filled = jnp.minimum(state.moves + 1, replay_moves)
        row = jax.random.randint(row_key, size, 0, filled)
        world = jax.random.randint(world_key, size, 0, worlds)
        remembered = {name: ring[row, world] for name, ring in replay.items()}

        def loss_of(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
            target = dataclasses.replace(state.network, params=state.target, average=None)
            after = value(target, as_floats(batch["next_view"]))
            future = jnp.where(batch["terminated"], 0.0, jnp.max(after, axis=-1))
            q, model_state = value_in_training(params, model_state, as_floats(batch["view"]), key)
            q = jnp.take_along_axis(q, batch["action"][:, None], axis=-1)[:, 0]
            loss = metrics.mean(optax.huber_loss(q, batch["reward"] + discount * future))
            return loss, ({"q_value": metrics.mean(q)}, model_state)

        network, measured = update(rule, loss_of)(state.network, remembered, loss_key)
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
        return jnp.argmax(value(state.network, as_floats(batch["view"])), axis=-1)

    def evaluate(state: DQNState, batch: Batch) -> Metrics:
        keys = jax.vmap(jax.random.split)(streams.of_examples("episode", batch["episode"]))
        starts = jax.vmap(environment.reset)(keys[:, 0])

        def at_random(move: Any, views: Any) -> Any:
            def draw(key: Any) -> jax.Array:
                key = jax.random.fold_in(key, move)
                return jax.random.randint(key, (), 0, environment.num_actions)

            return jax.vmap(draw)(keys[:, 1])

        def played(act: Callable[[Any, Any], jax.Array]) -> Metrics:
            def move(number: Any, playing: Any) -> Any:
                current, over = playing
                moved, _, terminated, truncated = jax.vmap(environment.step)(
                    current, act(number, observe(current))
                )
                # An episode that has ended stays as it ended.
                return jax.vmap(_where)(over, current, moved), over | terminated | truncated

            begun = (starts, jnp.zeros(len(keys), bool))
            end, _ = jax.lax.fori_loop(0, environment.duration, move, begun)
            score = jax.vmap(environment.score)(end)
            return {name: metrics.mean(each, batch["mask"]) for name, each in score.items()}

        learned = played(lambda move, views: apply(state, {"view": views}, None))
        return learned | {"random_return": played(at_random)["return"]}

    return Learner(init, step, evaluate, apply, HONOURS)


def as_floats(views: jax.Array) -> jax.Array:
    """Views of any dtype, as a network takes them; the replay keeps their own dtype."""
    return views.astype(jnp.float32)


def _where(condition: jax.Array, one: Any, other: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)
