"""The targets of deep Q-learning against closed forms: the Bellman equation and its loss."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import learners, models, optim
from dlcourse.learner import Rule
from tests.learners.acting.worlds import Corridor, Still, Table, batch, run


def best_values(discount):
    """Q by backward induction: `[square, time, action]`."""
    values = np.zeros((3, 5, 2))
    for time in reversed(range(4)):
        for square, action in np.ndindex(3, 2):
            after = min(max(square + 2 * action - 1, 0), 2)
            values[square, time, action] = (after == 2) + discount * values[after, time + 1].max()
    return values[:, :4]


def test_it_finds_the_fixed_point_of_the_bellman_equation(key):
    learner = learners.dqn(
        Corridor(),
        Table(),
        Rule(optim.adam(optim.cosine_decay(0.05, 2000))),
        exploration=lambda step: 1.0,
        discount=0.7,
        target_decay=0.9,
        worlds=5,
        replay_moves=100,
    )
    state, measured = run(learner, 2000, 23)(key)
    found = np.asarray(state.network.params["Dense_0"]["kernel"]).reshape(3, 4, 2)
    expected = best_values(0.7)
    # Standing at the right end at the start and staying: 1 + 0.7 + 0.49 + 0.343.
    assert expected[2, 0, 1] == pytest.approx(2.533)
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert measured["loss"].value[-1] < 1e-4
    values = jax.jit(learner.apply)(state, {"view": np.eye(12, dtype=bool)}, key)
    np.testing.assert_allclose(values, expected.reshape(12, 2), atol=0.02)


def test_one_step_is_the_formula(key):
    """With one world and a replay of one move nothing is left to chance but the move itself."""
    model = models.MLP((11, 2))
    learner = learners.dqn(
        Corridor(),
        model,
        Rule(optim.sgd(0.1)),
        exploration=lambda step: 0.25,
        discount=0.8,
        target_decay=0.75,
        worlds=1,
        replay_moves=1,
    )

    def values(params, view):
        return model.apply({"params": params}, view.astype(jnp.float32))

    @jax.jit
    def step():
        before = learner.init(key, batch(2))
        before = before.replace(target=jax.tree.map(lambda p: p + 0.1, before.network.params))
        return before, *learner.step(before, batch(2), key)

    @jax.jit
    def by_hand(before, after):
        params = before.network.params
        seen = {name: array[0] for name, array in after.replay.items()}
        y = seen["reward"][0] + 0.8 * values(before.target, seen["next_view"]).max()

        def loss(params):
            error = jnp.abs(values(params, seen["view"])[0, seen["action"][0]] - y)
            return jnp.where(error < 1, error**2 / 2, error - 0.5)

        value, gradient = jax.value_and_grad(loss)(params)
        expected = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)
        target = jax.tree.map(lambda old, new: 0.75 * old + 0.25 * new, before.target, expected)
        return value, expected, target

    before, after, measured = step()
    loss, expected, target = by_hand(before, after)
    assert measured["loss"].value == pytest.approx(float(loss), rel=1e-5)
    chex.assert_trees_all_close(after.network.params, expected, rtol=1e-5)
    chex.assert_trees_all_close(after.target, target, rtol=1e-5)
    assert measured["epsilon"].value == 0.25


def test_targets_bootstrap_through_a_truncation_but_not_a_termination(key):
    """`Q = 1` if nothing follows, and `Q = 1 + Q / 2 = 2` if only the episode was cut off."""
    values = {(True, False): 1.0, (False, True): 2.0, (False, False): 2.0, (True, True): 1.0}

    def train(terminated, truncated):
        learner = learners.dqn(
            Still((terminated, truncated)),
            Table(),
            Rule(optim.sgd(0.5)),
            exploration=lambda step: 1.0,
            discount=0.5,
            target_decay=0.5,
            worlds=3,
            replay_moves=7,
        )
        return run(learner, 200, 8)(key)[0]

    states = jax.jit(jax.vmap(train))(*np.array(list(values)).T)
    states = jax.tree.map(np.asarray, states)
    for member, (ends, value) in enumerate(values.items()):
        q = states.network.params["Dense_0"]["kernel"][member]
        np.testing.assert_allclose(q, value, atol=1e-3, err_msg=f"{ends}")
        assert set(np.ravel(states.replay["terminated"][member])) == {ends[0]}


@pytest.mark.parametrize("double", [False, True])
def test_targets_of_several_moves_are_the_formula(double, key):
    """Against a loop over the replay: ends of episodes, the ring's seam and the newest moves."""
    lookahead, discount = 3, 0.8
    model = models.MLP((11, 2))
    learner = learners.dqn(
        Corridor(),
        model,
        Rule(optim.sgd(0.0)),
        exploration=lambda step: 1.0,
        loss=lambda q, y: y,  # the step then measures the mean target
        discount=discount,
        double=double,
        lookahead=lookahead,
        target_decay=1.0,
        worlds=2,
        replay_moves=7,
    )
    moves, size = 17, 4001

    @jax.jit
    def play():
        state = learner.init(key, batch(size))
        other = jax.tree.map(lambda p: 1 - 2 * p, state.network.params)
        state = state.replace(target=other)
        keys = jax.random.split(key, moves)
        state, measured = jax.lax.scan(lambda s, k: learner.step(s, batch(size), k), state, keys)
        views = state.replay["next_view"].reshape(14, 12).astype(jnp.float32)
        values = (
            model.apply({"params": params}, views).reshape(7, 2, 2)
            for params in (state.network.params, state.target)
        )
        return state.replay, measured["loss"].value[-1], *values

    replay, measured, learned, target = jax.tree.map(np.asarray, play())
    assert replay["ended"].any()
    expected = []
    for first in range(moves - 7, moves):
        for world in range(2):
            y, last = 0.0, first
            for k, t in enumerate(range(first, min(first + lookahead, moves))):
                y += discount**k * replay["reward"][t % 7, world]
                last = t
                if replay["ended"][t % 7, world]:
                    break
            row = last % 7
            chosen = (learned if double else target)[row, world].argmax()
            if not replay["terminated"][row, world]:
                y += discount ** (last - first + 1) * target[row, world, chosen]
            expected.append(y)
    error = np.std(expected) / np.sqrt(size)
    assert abs(measured - np.mean(expected)) < 4 * error


def test_double_learning_is_not_biased_upwards(key):
    """Values of noise: the maximum is above the mean, and another network's choice is not."""
    found = {}
    for double in (False, True):
        learner = learners.dqn(
            Still((False, True)), models.MLP((2,)), Rule(optim.sgd(0.0)), discount=1.0,
            exploration=lambda step: 1.0, loss=lambda q, y: y, double=double, worlds=2,
            replay_moves=5,
        )  # fmt: skip

        def target(key, learner=learner):
            state = learner.init(key, batch(1))
            noise = learner.init(jax.random.fold_in(key, 1), batch(1)).network.params
            return learner.step(state.replace(target=noise), batch(1), key)[1]["loss"].value

        keys = jax.random.split(key, 2000)
        found[double] = np.asarray(jax.jit(jax.vmap(target))(keys)) - 1
    # Two values of variance 1: the mean of their maximum is 1 / √π.
    assert abs(found[False].mean() - 1 / np.sqrt(np.pi)) < 0.1
    assert abs(found[True].mean()) < 0.1
