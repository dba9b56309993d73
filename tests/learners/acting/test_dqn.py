"""Deep Q-learning against closed forms: the Bellman equation, its loss, its replay, its play."""

import dataclasses

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import learners, models, optim
from dlcourse.environments import MouseGame
from dlcourse.environments.mouse import MOVES
from dlcourse.learner import Policy

GAME = MouseGame(size=7, duration=40)


@dataclasses.dataclass(frozen=True)
class Corridor:
    """Three squares in a row and four moves; standing at the right end is worth a point a move.

    The player sees square and time as one of twelve lights, so a linear Q is a table.
    """

    num_actions: int = 2
    duration: int = 4
    length: int = 3

    def reset(self, key):
        return {"square": jax.random.randint(key, (), 0, self.length), "time": jnp.int32(0)}

    def step(self, state, action):
        square = jnp.clip(state["square"] + 2 * action - 1, 0, self.length - 1)
        time = state["time"] + 1
        reward = (square == self.length - 1).astype(jnp.float32)
        return {"square": square, "time": time}, reward, time >= self.duration

    def observe(self, state):
        # After the last move there is nothing more to see.
        return jnp.arange(12) == state["square"] * self.duration + state["time"]

    def score(self, state):
        return {"return": state["square"]}


def best_values(discount):
    """Q by backward induction: `[square, time, action]`."""
    values = np.zeros((3, 5, 2))
    for time in reversed(range(4)):
        for square, action in np.ndindex(3, 2):
            after = min(max(square + 2 * action - 1, 0), 2)
            values[square, time, action] = (after == 2) + discount * values[after, time + 1].max()
    return values[:, :4]


class Table(nn.Module):
    @nn.compact
    def __call__(self, x, *, train=False):
        return nn.Dense(2, use_bias=False, kernel_init=nn.initializers.normal(1.0))(x)


def batch(size):
    return {"episode": jnp.arange(size)}


def run(learner, steps, size):
    """`key -> (state, metrics of each step)`, compiled as one."""

    def train(key):
        def step(state, number):
            return learner.step(state, batch(size), jax.random.fold_in(key, number))

        return jax.lax.scan(step, learner.init(key, batch(size)), jnp.arange(steps))

    return jax.jit(train)


def test_it_finds_the_fixed_point_of_the_bellman_equation(key):
    learner = learners.dqn(
        Corridor(),
        Table(),
        optim.adam(optim.cosine_decay(0.05, 2000)),
        exploration=lambda step: 1.0,
        discount=0.7,
        target_decay=0.9,
        worlds=5,
        replay_moves=100,
    )
    state, measured = run(learner, 2000, 23)(key)
    found = np.asarray(state.params["Dense_0"]["kernel"]).reshape(3, 4, 2)
    expected = best_values(0.7)
    # Standing at the right end at the start and staying: 1 + 0.7 + 0.49 + 0.343.
    assert expected[2, 0, 1] == pytest.approx(2.533)
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert measured["loss"].value[-1] < 1e-4
    play = learners.player(Table())
    views = jnp.eye(12, dtype=bool)
    chosen = np.take_along_axis(expected.reshape(12, 2), play(state, views)[:, None], 1)[:, 0]
    np.testing.assert_array_equal(chosen, expected.reshape(12, 2).max(-1))  # there are ties


def test_one_step_is_the_formula(key):
    """With one world and a replay of one move nothing is left to chance but the move itself."""
    model = models.MLP((11, 2))
    learner = learners.dqn(
        Corridor(),
        model,
        optim.sgd(0.1),
        exploration=lambda step: 0.25,
        discount=0.8,
        target_decay=0.75,
        worlds=1,
        replay_moves=1,
    )
    before = jax.jit(learner.init)(key, batch(2))
    before = before.replace(target=jax.tree.map(lambda p: p + 0.1, before.params))
    after, measured = jax.jit(learner.step)(before, batch(2), key)
    seen = {name: array[0] for name, array in after.replay.items()}

    def values(params, view):
        return model.apply({"params": params}, view.astype(jnp.float32))

    y = seen["reward"][0] + 0.8 * values(before.target, seen["next_view"]).max()

    def loss(params):
        error = jnp.abs(values(params, seen["view"])[0, seen["action"][0]] - y)
        return jnp.where(error < 1, error**2 / 2, error - 0.5)

    assert measured["loss"].value == pytest.approx(float(loss(before.params)), rel=1e-5)
    gradient = jax.grad(loss)(before.params)
    params = jax.tree.map(lambda p, g: p - 0.1 * g, before.params, gradient)
    chex.assert_trees_all_close(after.params, params, rtol=1e-5)
    target = jax.tree.map(lambda old, new: 0.75 * old + 0.25 * new, before.target, params)
    chex.assert_trees_all_close(after.target, target, rtol=1e-5)
    assert measured["epsilon"].value == 0.25


MODEL = models.MLP((64, 4))


@pytest.fixture(scope="module")
def practice():
    """A run on a small board: its learner, its state and its metrics."""
    learner = learners.dqn(
        GAME,
        MODEL,
        optim.adam(2e-3),
        exploration=optim.cosine_decay(1.0, 500, 0.05),
        discount=0.8,
        target_decay=0.98,
        replay_moves=311,
        evaluation_seed=2,
    )
    return learner, *run(learner, 1500, 32)(jax.random.key(1))


@pytest.fixture(scope="module")
def evaluate(practice):
    learner, state, _ = practice
    compiled = jax.jit(learner.evaluate)
    return lambda episodes, mask: compiled(
        state, {"episode": jnp.array(episodes), "mask": jnp.array(mask, jnp.float32)}
    )


def test_it_learns_to_eat_cheese_and_leave_poison(evaluate):
    measured = evaluate(np.arange(101), np.ones(101))
    # 48 squares hold 7.2 points of cheese; a random mouse eats more poison than cheese.
    assert measured["random_return"].value < 0
    assert measured["return"].value > 4.0
    assert measured["poison"].value < 1.0


def test_evaluation_does_not_depend_on_how_episodes_are_batched(evaluate):
    whole = evaluate(np.arange(101), np.ones(101))
    parts = [evaluate(np.arange(i, i + 41), np.arange(i, i + 41) < 101) for i in (0, 41, 82)]
    merged = jax.tree.map(lambda *each: sum(each), *parts)
    chex.assert_trees_all_close(whole, merged, rtol=1e-6)
    assert whole["return"].weight == 101


def test_evaluation_plays_the_numbered_episodes(practice, evaluate):
    """Against a game played move by move outside the learner."""
    _, state, _ = practice
    measured = evaluate(np.arange(41), np.arange(41) == 5)
    board_key, _ = jax.random.split(jax.random.fold_in(jax.random.key(2), 5))
    world = GAME.reset(board_key)
    act = jax.jit(learners.player(MODEL))
    observe, step, total = jax.jit(GAME.observe), jax.jit(GAME.step), 0.0
    for _ in range(GAME.duration):
        world, reward, _ = step(world, act(state, observe(world)[None])[0])
        total += float(reward)
    assert measured["return"].value == pytest.approx(total, abs=1e-5)
    assert measured["cheese"].value == world.eaten[0]
    assert measured["poison"].value == world.eaten[1]


def test_the_replay_is_a_ring_of_the_last_moves(practice):
    _, state, _ = practice
    assert state.moves == 1500
    moves = np.arange(1500 - 311, 1500)  # move t is in row t mod 311
    replay = {name: np.asarray(array)[moves % 311] for name, array in state.replay.items()}
    np.testing.assert_array_equal(replay["done"], np.repeat(moves[:, None] % 40 == 39, 16, axis=1))
    goes_on = ~replay["done"][:-1]
    np.testing.assert_array_equal(replay["view"][1:][goes_on], replay["next_view"][:-1][goes_on])
    first_views = replay["view"][1:][~goes_on]
    assert np.all(first_views[..., 3].sum((1, 2)) == 1)  # a new board: its trail is one square
    np.testing.assert_array_equal(
        jax.vmap(GAME.observe)(state.worlds)[goes_on[-1]], replay["next_view"][-1][goes_on[-1]]
    )
    # What a move earns is what was seen on the square that it led to.
    ahead = np.stack([replay["view"][:, :, 2 + down, 2 + right] for down, right in MOVES], axis=2)
    ahead = np.take_along_axis(ahead, replay["action"][..., None, None], axis=2)[:, :, 0]
    cheese, poison, wall = np.moveaxis(ahead[..., :3], -1, 0)
    np.testing.assert_array_equal(replay["reward"][~wall], (0.5 * cheese - poison)[~wall])


def test_exploration_follows_its_schedule(practice):
    *_, measured = practice
    expected = optim.cosine_decay(1.0, 500, 0.05)(np.arange(1500))
    np.testing.assert_allclose(measured["epsilon"].value, expected, rtol=1e-5)


def test_moves_are_greedy_or_random(key):
    """While ε is 0 every move is the best of Q; while it is 1 all are as likely."""
    learner = learners.dqn(
        Corridor(),
        Table(),
        optim.sgd(0.0),
        exploration=lambda step: step >= 9,
        worlds=101,
        replay_moves=29,
    )
    state, _ = run(learner, 29, 2)(key)
    views, actions = state.replay["view"], np.asarray(state.replay["action"])
    best = (views @ state.params["Dense_0"]["kernel"]).argmax(-1)
    np.testing.assert_array_equal(actions[:9], best[:9])
    assert 0 < best[:9].mean() < 1
    assert abs(actions[9:].mean() - 0.5) < 4 * 0.5 / np.sqrt(actions[9:].size)


def test_seeds_side_by_side_are_the_runs_they_stand_for():
    learner = learners.dqn(
        Corridor(), models.MLP((11, 2)), optim.adam(1e-2), exploration=lambda step: 0.5, worlds=3,
        replay_moves=13, policy=Policy(ema=0.9),
    )  # fmt: skip
    train, keys = run(learner, 17, 7), jax.vmap(jax.random.key)(jnp.arange(2))
    together, _ = jax.jit(jax.vmap(train))(keys)
    for member in range(2):
        alone, _ = train(keys[member])
        state = jax.tree.map(lambda leaf, m=member: leaf[m], together)
        chex.assert_trees_all_close(state, alone, rtol=1e-4, atol=1e-6)
    average = jax.tree.map(lambda a, p: np.abs(a - p).max(), together.average, together.params)
    assert max(jax.tree.leaves(average)) > 1e-3  # evaluated weights lag behind


def test_parameter_count(key):
    params = jax.eval_shape(models.QNetwork(4).init, key, jnp.zeros((1, 5, 5, 7)))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 20_100
