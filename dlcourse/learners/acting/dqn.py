"""Learning to act from what came of acting: deep Q-learning."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from dlcourse import metrics, optim
from dlcourse.environments import Environment
from dlcourse.learner import Batch, Learner, Metrics, Policy
from dlcourse.learners import rule as gradients


@flax.struct.dataclass
class DQNState:
    """The state of a DQN learner.

    Attributes:
        params: θ, the weights of Q.
        target: θ⁻, those of the target network.
        opt_state: the optimizer's.
        average: the moving average of θ, None without one.
        worlds: the environments in play.
        replay: what was seen (`view`), done (`action`), got (`reward`) and seen then (`next_view`,
            `done`), each `[rows, worlds, ...]`: a ring, with move t in row t mod rows.
        moves: how many moves were made in each world.
    """

    params: Any
    target: Any
    opt_state: Any
    average: Any
    worlds: Any
    replay: Any
    moves: Any


def dqn(
    environment: Environment,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    exploration: Callable[[ArrayLike], ArrayLike],
    discount: float = 0.9,
    target_decay: float = 0.995,
    worlds: int = 16,
    replay_moves: int = 4000,
    evaluation_seed: int = 0,
    policy: Policy = Policy(),
) -> Learner:
    """Deep Q-learning with replay and a target network (Mnih et al., 2015; deck 003).

        y = r + γ (1 - done) max_a' Q(s', a'; θ⁻)
        L(θ) = E[huber(Q(s, a; θ) - y)],    θ⁻ <- τ θ⁻ + (1 - τ) θ

    A step makes one ε-greedy move in each of several worlds, writes these transitions into the
    replay, and updates θ once on transitions drawn from all of it: as many as the training batch
    has examples, and nothing else of that batch is used. Where an episode is done another begins.

    Evaluation plays one greedy episode for each number in `batch["episode"]`, on the board that
    `evaluation_seed` and the number draw, and one at random on the same board.

    The deck squares the error; Huber's loss, half the square up to 1 and linear beyond, is the
    clipped error of Mnih et al. They copy θ to θ⁻ every so often; that θ⁻ follows θ slowly is from
    Lillicrap et al. (2016). They fill the replay at random before they learn. Neither made a
    difference to the mouse, and each would need a condition here.

    Args:
        environment: the world.
        model: `model(views)`, the values Q of all actions.
        optimizer: an optax chain.
        exploration: ε(t), the probability of a random move at step t.
        discount: γ.
        target_decay: τ.
        worlds: how many environments are played side by side.
        replay_moves: how many moves of each world are remembered.
        evaluation_seed: draws the boards of evaluation.
        policy: precision, micro-batches, averaged and frozen weights.
    """
    observe = jax.vmap(environment.observe)
    optimizer = gradients.unfrozen(optimizer, policy)
    value = _valuer(model, policy)

    def play(state: DQNState, epsilon: jax.Array, key: Any) -> tuple[Any, Any, jax.Array]:
        """One move in every world: the worlds and the replay after it, and the rewards."""
        explore_key, action_key, reset_key = jax.random.split(key, 3)
        view = observe(state.worlds)
        greedy = jnp.argmax(value(state.params, view), axis=-1)
        random = jax.random.randint(action_key, (worlds,), 0, environment.num_actions)
        action = jnp.where(jax.random.bernoulli(explore_key, epsilon, (worlds,)), random, greedy)
        moved, reward, done = jax.vmap(environment.step)(state.worlds, action)
        seen = {
            "view": view,
            "action": action,
            "reward": reward,
            "next_view": observe(moved),
            "done": done,
        }
        row = state.moves % replay_moves
        replay = {name: ring.at[row].set(seen[name]) for name, ring in state.replay.items()}
        fresh = jax.vmap(environment.reset)(jax.random.split(reset_key, worlds))
        return jax.vmap(_where)(done, fresh, moved), replay, reward

    def init(key: Any, batch: Batch) -> DQNState:
        params_key, reset_key = jax.random.split(key)
        current = jax.vmap(environment.reset)(jax.random.split(reset_key, worlds))
        view = observe(current)
        params = model.init(params_key, view.astype(jnp.float32))["params"]
        rows = (replay_moves, worlds)
        replay = {
            "view": jnp.zeros((replay_moves, *view.shape), view.dtype),
            "action": jnp.zeros(rows, jnp.int32),
            "reward": jnp.zeros(rows, jnp.float32),
            "next_view": jnp.zeros((replay_moves, *view.shape), view.dtype),
            "done": jnp.zeros(rows, bool),
        }
        average = params if policy.ema is not None else None
        moves = jnp.zeros((), jnp.int32)
        return DQNState(params, params, optimizer.init(params), average, current, replay, moves)

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
            best = jnp.max(value(state.target, batch["next_view"]), axis=-1)
            y = batch["reward"] + discount * jnp.where(batch["done"], 0.0, best)
            q = value(params, batch["view"])
            q = jnp.take_along_axis(q, batch["action"][:, None], axis=-1)[:, 0]
            loss = metrics.mean(optax.huber_loss(q, y))
            return loss.value, ({"loss": loss, "q_value": metrics.mean(q)}, model_state)

        gradient, measured, _ = gradients.value_and_grad(loss_of, policy)(
            state.params, {}, remembered, loss_key
        )
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        state = DQNState(
            params=params,
            target=optim.ema(state.target, params, target_decay),
            opt_state=opt_state,
            average=gradients.averaged(state.average, params, policy),
            worlds=current,
            replay=replay,
            moves=state.moves + 1,
        )
        measured |= {"reward": metrics.mean(reward), "epsilon": metrics.scalar(epsilon)}
        return state, measured

    greedy = player(model, policy=policy)

    def evaluate(state: DQNState, batch: Batch) -> Metrics:
        key = jax.random.key(evaluation_seed)
        keys = jax.vmap(lambda episode: jax.random.split(jax.random.fold_in(key, episode)))(
            batch["episode"]
        )
        starts = jax.vmap(environment.reset)(keys[:, 0])

        def at_random(move: Any, views: Any) -> Any:
            def draw(key: Any) -> jax.Array:
                key = jax.random.fold_in(key, move)
                return jax.random.randint(key, (), 0, environment.num_actions)

            return jax.vmap(draw)(keys[:, 1])

        def played(act: Callable[[Any, Any], jax.Array]) -> Metrics:
            def move(number: Any, current: Any) -> Any:
                return jax.vmap(environment.step)(current, act(number, observe(current)))[0]

            end = jax.lax.fori_loop(0, environment.duration, move, starts)
            score = jax.vmap(environment.score)(end)
            return {name: metrics.mean(each, batch["mask"]) for name, each in score.items()}

        learned = played(lambda move, views: greedy(state, views))
        return learned | {"random_return": played(at_random)["return"]}

    return Learner(init, step, evaluate)


def player(
    model: nn.Module, *, policy: Policy = Policy()
) -> Callable[[DQNState, jax.Array], jax.Array]:
    """`(state, views) -> actions`, the greedy ones, by its averaged weights if it has them."""
    value = _valuer(model, policy)

    def act(state: DQNState, views: jax.Array) -> jax.Array:
        params = state.params if state.average is None else state.average
        return jnp.argmax(value(params, views), axis=-1)

    return act


def _valuer(model: nn.Module, policy: Policy) -> Callable[[Any, jax.Array], jax.Array]:
    """`(params, views) -> values` in the policy's precision; views may be of any dtype."""

    def value(params: Any, views: jax.Array) -> jax.Array:
        variables = {"params": gradients.cast(params, policy)}
        return model.apply(variables, views.astype(policy.precision)).astype(jnp.float32)

    return value


def _where(condition: jax.Array, one: Any, other: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)
