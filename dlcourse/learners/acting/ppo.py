"""Proximal policy optimisation."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from dlcourse import losses, metrics
from dlcourse.environments import Environment
from dlcourse.errors import UsageError
from dlcourse.learner import Batch, Learner, Metrics, Rule, Trained
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


def ppo(
    environment: Environment,
    model: nn.Module,
    rule: Rule,
    *,
    discount: float = 0.99,
    trace: float = 0.95,
    clip: float = 0.2,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
    passes: int = 4,
    worlds: int = 16,
    moves: int = 128,
) -> Learner:
    """Proximal policy optimisation with a clipped ratio (Schulman et al., 2017).

        L(θ) = E[-min(ρ A, clip(ρ, 1 - ε, 1 + ε) A) + c_v (V(s) - R)² / 2 - c_e H(π(·|s))]
        ρ = π(a|s; θ) / π(a|s; θ_old),    R = A_GAE + V(s; θ_old)

    A step draws `moves` actions from π in each of several worlds, which play on where the step
    before left them, and computes the advantages A_GAE of `learners.advantages`. It then goes
    through these transitions `passes` times, in a new random order each time, in minibatches of as
    many as the training batch has examples; nothing else of that batch is used. Within a minibatch
    A is A_GAE less its mean, over its standard deviation. A step therefore makes
    passes · worlds · moves / batch size updates, the `updates` of `config.rule`.

    The network is computed without dropout, so that ρ is 1 before the first update. `apply` gives
    the logits of the actions for `view`. Evaluation plays the most probable actions;
    `sampled_return` is that of actions drawn from π.

    Deviation: the value loss is not clipped. The other details are those of Huang et al. (2022),
    "The 37 implementation details of proximal policy optimization". Theirs start from orthogonal
    weights, with those of the policy's last layer near 0; the weights are the model's matter here.

    Args:
        environment: the world.
        model: `model(views)`, the logits of all actions and the value, as of `models.ActorCritic`.
        rule: how the network is trained.
        discount: γ.
        trace: λ of the advantages.
        clip: ε.
        value_weight: c_v.
        entropy_weight: c_e.
        passes: how often a step goes through its transitions.
        worlds: how many environments are played side by side.
        moves: how many moves a step makes in each of them.
    """
    outputs = actor_critic(model, rule.policy)

    def init(key: Any, batch: Batch) -> ActorCriticState:
        return first_state(environment, model, rule, worlds, key)

    def step(state: ActorCriticState, batch: Batch, key: Any) -> tuple[ActorCriticState, Metrics]:
        size, minibatch = worlds * moves, len(batch["episode"])
        if size % minibatch:
            raise UsageError(
                f"--batch-size {minibatch} does not divide the {size} transitions of a step, "
                f"{moves} moves in each of {worlds} worlds."
            )
        play_key, order_key, loss_key = jax.random.split(key, 3)
        current, seen = rollout(
            environment, outputs, state, moves, play_key, discount=discount, trace=trace
        )

        def learn(network: Trained, rows_and_key: Any) -> tuple[Trained, Metrics]:
            rows, key = rows_and_key
            part = jax.tree.map(lambda array: array[rows], seen)
            part = part._replace(advantage=standardised(part.advantage))
            return update(rule, loss_of)(network, part._asdict(), key)

        def loss_of(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
            drawn = Transitions(**batch)
            network = with_params(state.network, params)
            logits, value = outputs(network, drawn.view)
            log_ratio = log_probabilities(logits, drawn.action) - drawn.log_probability
            ratio = jnp.exp(log_ratio)
            policy = losses.clipped_surrogate(log_ratio, drawn.advantage, clip)
            error, entropy = (value - drawn.value_target) ** 2 / 2, entropies(logits)
            loss = metrics.mean(policy + value_weight * error - entropy_weight * entropy)
            others = {
                "policy_loss": policy,
                "value_loss": error,
                "entropy": entropy,
                "kl": ratio - 1 - log_ratio,
                "clipped": (jnp.abs(ratio - 1) > clip).astype(jnp.float32),
            }
            return loss, ({name: metrics.mean(each) for name, each in others.items()}, model_state)

        permuted = jax.vmap(lambda key: jax.random.permutation(key, size))
        rows = permuted(jax.random.split(order_key, passes)).reshape(-1, minibatch)
        keys = jax.random.split(loss_key, len(rows))
        network, measured = jax.lax.scan(learn, state.network, (rows, keys))
        measured = jax.tree.map(lambda each: each.sum(0), measured)
        measured |= {"reward": metrics.mean(seen.reward)}
        return ActorCriticState(network, current), measured

    apply = logits_of(outputs)
    return Learner(init, step, evaluation(environment, apply, sampled=True), apply, HONOURS)
