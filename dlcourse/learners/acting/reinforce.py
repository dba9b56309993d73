"""REINFORCE with a learned baseline: the policy gradient itself."""

from typing import Any

import flax.linen as nn
import jax

from dlcourse import metrics
from dlcourse.environments import Environment
from dlcourse.errors import UsageError
from dlcourse.learner import Batch, Learner, Metrics, Rule
from dlcourse.learners.acting.actor_critic import (
    ActorCriticState,
    Transitions,
    actor_critic,
    entropies,
    first_state,
    log_probabilities,
    logits_of,
    rollout,
    standardised,
    with_params,
)
from dlcourse.learners.acting.playing import evaluation
from dlcourse.learners.rule import HONOURS, update


def reinforce(
    environment: Environment,
    model: nn.Module,
    rule: Rule,
    *,
    discount: float = 0.99,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
    worlds: int = 16,
    moves: int = 128,
) -> Learner:
    """REINFORCE with a learned baseline (Williams, 1992).

        L(θ) = E[-A log π(a|s) + c_v (V(s) - G)² / 2 - c_e H(π(·|s))],    A = G - V(s)

    G is the discounted sum of the rewards from the move to the end of its episode. A step draws
    `moves` actions from π in each of several worlds, which play on where the step before left
    them, and makes one update on all of them; nothing of the training batch is used. The baseline
    V does not change the expected gradient, only its variance. A is standardised over the step.

    Deviation: where the time limit or the end of the rollout cuts an episode off, G ends with the
    estimate V of the state reached, so that episodes may be longer than a rollout.

    Everything else, and the arguments, are as in `ppo`, of which this is the case of one pass
    through one minibatch with λ = 1: there ρ is 1.
    """
    outputs = actor_critic(model, rule.policy)

    def init(key: Any, batch: Batch) -> ActorCriticState:
        return first_state(environment, model, rule, worlds, key)

    def loss_of(state: ActorCriticState) -> Any:
        def loss(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
            drawn = Transitions(**batch)
            logits, value = outputs(with_params(state.network, params), drawn.view)
            policy = -drawn.advantage * log_probabilities(logits, drawn.action)
            error, entropy = (value - drawn.value_target) ** 2 / 2, entropies(logits)
            total = metrics.mean(policy + value_weight * error - entropy_weight * entropy)
            others = {"policy_loss": policy, "value_loss": error, "entropy": entropy}
            return total, ({name: metrics.mean(each) for name, each in others.items()}, model_state)

        return loss

    def step(state: ActorCriticState, batch: Batch, key: Any) -> tuple[ActorCriticState, Metrics]:
        if worlds * moves % rule.policy.accumulate:
            raise UsageError(
                f"--accumulate {rule.policy.accumulate} does not divide the {worlds * moves} "
                f"transitions of a step, {moves} moves in each of {worlds} worlds."
            )
        play_key, _, loss_key = jax.random.split(key, 3)  # as in `ppo`
        current, seen = rollout(
            environment, outputs, state, moves, play_key, discount=discount, trace=1.0
        )
        drawn = seen._replace(advantage=standardised(seen.advantage))
        learn = update(rule, loss_of(state))
        network, measured = learn(state.network, drawn._asdict(), loss_key)
        measured |= {"reward": metrics.mean(seen.reward)}
        return ActorCriticState(network, current), measured

    apply = logits_of(outputs)
    return Learner(init, step, evaluation(environment, apply, sampled=True), apply, HONOURS)
