"""Policy gradients: PPO and REINFORCE against their formulas, and on worlds of known value."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data, learners, losses, models, optim, training
from dlcourse.environments import CartPole
from dlcourse.errors import UsageError, UserError
from dlcourse.learner import Policy, Rule
from tests.learners.acting.worlds import Corridor, Still, batch, run

MODEL = models.ActorCritic(models.MLP((7, 2)), models.MLP((5, 1)))
SIZES = {"worlds": 3, "moves": 8}


def one_step(learner, size, key):
    """The state before and after a step, and its metrics."""

    @jax.jit
    def step():
        state = learner.init(key, batch(size))
        return state, *learner.step(state, batch(size), key)

    return step()


def test_the_ratio_is_one_before_the_first_update(key):
    """Also of a network with dropout, which a rollout does not use."""
    policy = models.MLP((31, 2), dropout=0.5)
    learner = learners.ppo(
        CartPole(), models.ActorCritic(policy, models.MLP((5, 1))), Rule(optim.sgd(0.0)), **SIZES
    )
    _, _, measured = one_step(learner, 6, key)
    assert measured["kl"].weight == 4 * 24
    assert measured["kl"].value == pytest.approx(0, abs=1e-7)
    assert measured["clipped"].value == 0
    assert abs(measured["policy_loss"].value) < 1e-6  # standardised advantages have mean 0


def test_one_pass_through_one_minibatch_is_reinforce(key):
    """At ρ = 1 the clipped surrogate has the gradient of -A log π."""
    rule = Rule(optim.sgd(0.1))
    ppo = learners.ppo(Corridor(), MODEL, rule, trace=1.0, passes=1, **SIZES)
    reinforce = learners.reinforce(Corridor(), MODEL, rule, **SIZES)

    @jax.jit
    def both():
        state = ppo.init(key, batch(24))
        return state, ppo.step(state, batch(24), key)[0], reinforce.step(state, batch(24), key)[0]

    before, by_ppo, by_reinforce = both()
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), by_ppo.network, before.network)
    assert max(jax.tree.leaves(moved.params)) > 1e-3
    chex.assert_trees_all_close(
        by_ppo.network.params, by_reinforce.network.params, rtol=1e-4, atol=1e-6
    )


def test_the_clipped_surrogate_is_the_formula():
    log_ratio = np.log(np.array([0.5, 0.9, 1.0, 1.1, 2.0], np.float32))
    for advantage in (2.0, -3.0):
        value, slope = jax.vmap(
            jax.value_and_grad(lambda r, a: losses.clipped_surrogate(r, a, 0.2)), (0, None)
        )(log_ratio, jnp.float32(advantage))
        ratio = np.exp(log_ratio)
        expected = -np.minimum(ratio * advantage, np.clip(ratio, 0.8, 1.2) * advantage)
        np.testing.assert_allclose(value, expected, rtol=1e-6)
        # No gradient beyond the clip, where the action has become likely or unlikely enough.
        beyond = ratio > 1.2 if advantage > 0 else ratio < 0.8
        np.testing.assert_allclose(slope, np.where(beyond, 0, -ratio * advantage), rtol=1e-6)


@pytest.mark.parametrize("method", [learners.ppo, learners.reinforce])
def test_values_bootstrap_through_a_truncation_but_not_a_termination(method, key):
    """1 point a move: `V = 1` if nothing follows, and `V = 1 + V / 2 = 2` if it was cut off."""
    model = models.ActorCritic(models.MLP((2,)), models.MLP((1,)))
    values = {(True, False): 1.0, (False, True): 2.0, (False, False): 2.0, (True, True): 1.0}

    def train(terminated, truncated):
        world = Still((terminated, truncated))
        learner = method(world, model, Rule(optim.sgd(0.2)), discount=0.5, worlds=2, moves=4)
        state, _ = run(learner, 60, 8)(key)
        return model.apply({"params": state.network.params}, jnp.ones((1, 1)))[1][0]

    found = jax.jit(jax.vmap(train))(*np.array(list(values)).T)
    np.testing.assert_allclose(found, list(values.values()), atol=1e-2)


@pytest.mark.long
@pytest.mark.parametrize("method", [learners.ppo, learners.reinforce])
def test_it_learns_to_stay_at_the_end_of_the_corridor(method, key):
    rule = Rule(optim.adam(3e-2))
    learner = method(Corridor(), MODEL, rule, entropy_weight=0.0, worlds=11, moves=16)
    state, measured = run(learner, 60, 88)(key)
    assert np.mean(measured["reward"].value[-5:]) > 0.7  # 0.71 of all moves at best, from anywhere
    logits = jax.jit(learner.apply)(state, {"view": np.eye(12, dtype=bool)}, key)
    assert np.all(logits.argmax(-1) == 1)


def test_rollouts_play_with_the_weights_and_evaluation_with_their_average(key):
    learner = learners.ppo(Corridor(), MODEL, Rule(optim.sgd(0.5), Policy(ema=0.9)), **SIZES)
    _, state, _ = one_step(learner, 24, key)
    logits = jax.jit(learner.apply)(state, {"view": np.eye(12, dtype=bool)}, key)
    averaged = jax.jit(MODEL.apply)({"params": state.network.average}, jnp.eye(12))[0]
    np.testing.assert_allclose(logits, averaged, rtol=1e-5)
    lag = jax.tree.map(
        lambda a, p: np.abs(a - p).max(), state.network.average, state.network.params
    )
    assert max(jax.tree.leaves(lag)) > 1e-4


def test_a_batch_that_does_not_divide_the_rollout_is_refused(key):
    learner = learners.ppo(Corridor(), MODEL, Rule(optim.sgd(0.1)), **SIZES)
    message = r"--batch-size 7 does not divide the 24 transitions of a step, 8 moves in each of 3"
    with pytest.raises(UsageError, match=message):
        one_step(learner, 7, key)


def test_micro_batches_that_do_not_divide_the_rollout_are_refused(key):
    rule = Rule(optim.sgd(0.1), Policy(accumulate=5))
    learner = learners.reinforce(Corridor(), MODEL, rule, **SIZES)
    with pytest.raises(UsageError, match="--accumulate 5 does not divide the 24 transitions"):
        one_step(learner, 10, key)


@pytest.mark.parametrize("method", ["ppo", "reinforce", "dqn"])
def test_a_network_that_does_not_fit_the_actions_is_refused(method, key):
    options = {"exploration": lambda step: 0.5} if method == "dqn" else {}
    network = models.MLP((7, 4))
    if method != "dqn":
        network = models.ActorCritic(network, models.MLP((1,)))
    learner = getattr(learners, method)(CartPole(), network, Rule(optim.sgd(0.1)), **options)
    with pytest.raises(UserError, match="has 4 outputs, and CartPole has 2 actions"):
        jax.eval_shape(learner.init, key, batch(8))


def test_the_schedule_spans_all_updates_of_a_run():
    config = training.Config(steps=10, schedule="linear", learning_rate=1.0, optimizer="sgd")
    rule = config.rule(data.episodes(), updates=4)
    state = rule.optimizer.init(jnp.ones(()))
    rates = []
    for _ in range(40):
        step, state = rule.optimizer.update(jnp.ones(()), state, jnp.ones(()))
        rates.append(-float(step))
    np.testing.assert_allclose(rates, 1 - np.arange(40) / 40, atol=1e-6)
