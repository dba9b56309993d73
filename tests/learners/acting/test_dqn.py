"""Deep Q-learning: its replay, its exploration, its play and its seeds."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import learners, models, optim, streams
from dlcourse.environments import MouseGame
from dlcourse.environments.mouse import MOVES
from dlcourse.learner import Policy, Rule
from tests.learners.acting.worlds import Corridor, Table, run

GAME = MouseGame(size=7, duration=40)


MODEL = models.MLP((64, 4))


@pytest.fixture(scope="module")
def practice():
    """A run on a small board: its learner, its state and its metrics."""
    learner = learners.dqn(
        GAME,
        MODEL,
        Rule(optim.adam(2e-3)),
        exploration=optim.cosine_decay(1.0, 500, 0.05),
        discount=0.8,
        target_decay=0.98,
        replay_moves=311,
    )
    return learner, *run(learner, 1500, 32)(jax.random.key(1))


@pytest.fixture(scope="module")
def evaluate(practice):
    learner, state, _ = practice
    compiled = jax.jit(learner.evaluate)
    return lambda episodes, mask: compiled(
        state, {"episode": np.array(episodes, np.int32), "mask": np.array(mask, np.float32)}
    )


@pytest.mark.long
def test_it_learns_to_eat_cheese_and_avoid_poison(evaluate):
    measured = evaluate(np.arange(101), np.ones(101))
    # 48 squares hold 7.2 points of cheese; a random mouse eats more poison than cheese.
    assert measured["random_return"].value < 0
    assert measured["return"].value > 4.0
    assert measured["poison"].value < 1.0


def test_evaluation_does_not_depend_on_how_episodes_are_batched(evaluate):
    whole = evaluate(np.arange(101), np.ones(101))
    parts = [evaluate(np.arange(i, i + 41), np.arange(i, i + 41) < 101) for i in (0, 41, 82)]
    merged = jax.tree.map(lambda *each: np.sum(each, axis=0), *parts)
    chex.assert_trees_all_close(whole, merged, rtol=1e-6)
    assert whole["return"].weight == 101


def test_evaluation_plays_the_numbered_episodes(practice, evaluate):
    """Against a game played move by move outside the learner."""
    learner, state, _ = practice
    measured = evaluate(np.arange(41), np.arange(41) == 5)

    @jax.jit
    def start():
        board_key, _ = jax.random.split(streams.of_examples("episode", jnp.array([5]))[0])
        return GAME.reset(board_key)

    @jax.jit
    def move(state, world):
        action = learner.apply(state, {"view": GAME.observe(world)[None]}, None)[0].argmax()
        world, reward, *_ = GAME.step(world, action)
        return world, reward

    world, total = start(), 0.0
    for _ in range(GAME.duration):
        world, reward = move(state, world)
        total += float(reward)
    eaten = np.asarray(world.eaten)
    assert measured["return"].value == pytest.approx(total, abs=1e-5)
    assert measured["cheese"].value == eaten[0]
    assert measured["poison"].value == eaten[1]


def test_the_replay_is_a_ring_of_the_last_moves(practice):
    _, state, _ = practice
    assert state.moves == 1500
    moves = np.arange(1500 - 311, 1500)  # move t is in row t mod 311
    replay = {name: np.asarray(array)[moves % 311] for name, array in state.replay.items()}
    # An episode of the mouse is cut off after 40 moves, and none has a terminal state.
    assert not replay["terminated"].any()
    goes_on = np.repeat(moves[:-1, None] % 40 != 39, 16, axis=1)
    np.testing.assert_array_equal(replay["view"][1:][goes_on], replay["next_view"][:-1][goes_on])
    first_views = replay["view"][1:][~goes_on]
    assert np.all(first_views[..., 3].sum((1, 2)) == 1)  # a new board: its trail is one square
    views = np.asarray(jax.jit(jax.vmap(GAME.observe))(state.worlds))
    np.testing.assert_array_equal(views[goes_on[-1]], replay["next_view"][-1][goes_on[-1]])
    # What a move earns is what was seen on the square that it led to.
    ahead = np.stack([replay["view"][:, :, 2 + down, 2 + right] for down, right in MOVES], axis=2)
    ahead = np.take_along_axis(ahead, replay["action"][..., None, None], axis=2)[:, :, 0]
    cheese, poison, wall = np.moveaxis(ahead[..., :3], -1, 0)
    np.testing.assert_array_equal(replay["reward"][~wall], (0.5 * cheese - poison)[~wall])


def test_exploration_follows_its_schedule(practice):
    *_, measured = practice
    expected = jax.jit(optim.cosine_decay(1.0, 500, 0.05))(np.arange(1500))
    np.testing.assert_allclose(measured["epsilon"].value, expected, rtol=1e-5)


def test_moves_are_greedy_or_random(key):
    """While ε is 0 every move is the best of Q; while it is 1 all are as likely."""
    learner = learners.dqn(
        Corridor(),
        Table(),
        Rule(optim.sgd(0.0)),
        exploration=lambda step: step >= 9,
        worlds=101,
        replay_moves=29,
    )
    state, _ = run(learner, 29, 2)(key)
    views, actions = (np.asarray(state.replay[name]) for name in ("view", "action"))
    best = (views @ np.asarray(state.network.params["Dense_0"]["kernel"])).argmax(-1)
    np.testing.assert_array_equal(actions[:9], best[:9])
    assert 0 < best[:9].mean() < 1
    assert abs(actions[9:].mean() - 0.5) < 4 * 0.5 / np.sqrt(actions[9:].size)


def test_seeds_side_by_side_equal_separate_runs():
    learner = learners.dqn(
        Corridor(), models.MLP((11, 2)), Rule(optim.adam(1e-2), Policy(ema=0.9)),
        exploration=lambda step: 0.5, worlds=3, replay_moves=13,
    )  # fmt: skip
    train, keys = run(learner, 17, 7), [jax.random.key(seed) for seed in range(2)]
    together, _ = jax.jit(lambda *keys: jax.vmap(train)(jnp.stack(keys)))(*keys)
    together = jax.tree.map(np.asarray, together)
    for member, key in enumerate(keys):
        alone, _ = train(key)
        state = jax.tree.map(lambda leaf, m=member: leaf[m], together)
        chex.assert_trees_all_close(state, alone, rtol=1e-4, atol=1e-6)
    average = jax.tree.map(
        lambda a, p: np.abs(a - p).max(), together.network.average, together.network.params
    )
    assert max(jax.tree.leaves(average)) > 1e-3  # evaluated weights lag behind


def test_parameter_count(key):
    params = jax.eval_shape(models.QNetwork(4).init, key, np.zeros((1, 5, 5, 7), np.float32))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 20_100
