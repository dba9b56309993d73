"""What policy-gradient learners share: a policy with a value, the worlds it plays, its rollouts."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dlcourse.environments import Environment
from dlcourse.learner import Batch, Policy, Rule, Trained
from dlcourse.learners.acting.advantages import advantages
from dlcourse.learners.acting.playing import (
    as_floats,
    move_worlds,
    require_actions,
    reset_worlds,
)
from dlcourse.learners.rule import forward, start


@flax.struct.dataclass
class ActorCriticState:
    """The state of a policy-gradient learner.

    Attributes:
        network: the `Trained` of policy and value.
        worlds: the environments in play.
    """

    network: Trained
    worlds: Any


class Transitions(NamedTuple):
    """The moves of a rollout, in no order that matters.

    Attributes:
        view: what was seen before the move.
        action: the action.
        log_probability: log π(a|s) of the policy that drew it.
        advantage: A of `learners.advantages`.
        value_target: A + V(s), what V(s) should have been.
        reward: of the move.
    """

    view: Any
    action: Int[Array, " n"]
    log_probability: Float[Array, " n"]
    advantage: Float[Array, " n"]
    value_target: Float[Array, " n"]
    reward: Float[Array, " n"]


# (trained, views) -> (logits, values); also with other weights: see `with_params`.
Outputs = Callable[[Trained, Any], tuple[Any, Any]]


def actor_critic(model: nn.Module, policy: Policy) -> Outputs:
    """The network as evaluation computes it, without dropout, on views of any dtype.

    Training computes it in the same way, so that the probabilities of a rollout's actions are
    those of the policy that drew them.
    """
    outputs = forward(model, policy)
    return lambda trained, views: outputs(trained, as_floats(views))


def with_params(trained: Trained, params: Any) -> Trained:
    """The network with these weights, which training moves, and not their average."""
    return dataclasses.replace(trained, params=params, average=None)


def first_state(
    environment: Environment, model: nn.Module, rule: Rule, worlds: int, key: Any
) -> ActorCriticState:
    """New weights and new episodes.

    Raises:
        UserError: the network does not have one logit for each action.
    """
    params_key, reset_key = jax.random.split(key)
    current = reset_worlds(environment, reset_key, worlds)
    view = as_floats(jax.vmap(environment.observe)(current))
    (logits, _), variables = model.init_with_output(params_key, view)
    require_actions(environment, logits.shape[-1])
    return ActorCriticState(start(rule, variables), current)


def rollout(
    environment: Environment,
    outputs: Outputs,
    state: ActorCriticState,
    moves: int,
    key: Any,
    *,
    discount: float,
    trace: float,
) -> tuple[Any, Transitions]:
    """The worlds after `moves` moves in each, drawn from the policy, and the transitions.

    Args:
        environment: the rules.
        outputs: of `actor_critic`.
        state: the learner's; its worlds go on where they stand.
        moves: how many in each world.
        key: draws actions and new episodes.
        discount: γ.
        trace: λ.
    """
    acting = with_params(state.network, state.network.params)

    def move(current: Any, key: Any) -> Any:
        action_key, reset_key = jax.random.split(key)
        view = jax.vmap(environment.observe)(current)
        logits, value = outputs(acting, view)
        action = jax.random.categorical(action_key, logits)
        moved = move_worlds(environment, current, action, reset_key)
        log_probability = log_probabilities(logits, action)
        return moved.worlds, (view, action, log_probability, value, moved._replace(worlds=()))

    current, (view, action, log_probability, value, moved) = jax.lax.scan(
        move, state.worlds, jax.random.split(key, moves)
    )
    # One large product for all moves, and not a second small one in every move.
    next_value = outputs(acting, _flat(moved.next_view))[1].reshape(value.shape)
    advantage = advantages(
        moved.reward, value, next_value, moved.terminated, moved.ended,
        discount=discount, trace=trace,
    )  # fmt: skip
    seen = Transitions(view, action, log_probability, advantage, advantage + value, moved.reward)
    return current, Transitions(*map(_flat, seen))


def log_probabilities(
    logits: Float[Array, "batch actions"], action: Int[Array, " batch"]
) -> Float[Array, " batch"]:
    """log π(a|s) of one action each."""
    return jnp.take_along_axis(nn.log_softmax(logits), action[:, None], axis=-1)[:, 0]


def entropies(logits: Float[Array, "batch actions"]) -> Float[Array, " batch"]:
    """H(π(·|s)) = -Σ_a π(a|s) log π(a|s), in nats."""
    return -jnp.sum(nn.softmax(logits) * nn.log_softmax(logits), axis=-1)


def standardised(advantage: Float[Array, " n"]) -> Float[Array, " n"]:
    """Less its mean, over its standard deviation."""
    return (advantage - advantage.mean()) / (advantage.std() + 1e-8)


def logits_of(outputs: Outputs) -> Callable[[ActorCriticState, Batch, Any], jax.Array]:
    """`apply` of these learners: the logits of the actions for `view`."""
    return lambda state, batch, key: outputs(state.network, batch["view"])[0]


def _flat(array: jax.Array) -> jax.Array:
    """`[moves, worlds, ...]` as `[moves * worlds, ...]`."""
    return array.reshape(-1, *array.shape[2:])
