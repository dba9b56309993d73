"""The mouse game: rules on hand-made boards, invariants on random boards, figures."""

import functools
from collections import deque

import jax
import numpy as np
import pytest

from dlcourse.environments import Environment, MouseGame, MouseState
from dlcourse.environments.mouse import MOVES

GAME = MouseGame()
DOWN, UP, RIGHT, LEFT = range(4)


def board(drawing, position):
    """A state from rows of `c` for cheese, `p` for poison, `.` for nothing."""
    squares = np.array([list(row) for row in drawing.split()])
    visits = np.zeros(squares.shape, np.int32)
    visits[position] = 1
    return jax.device_put(
        MouseState(
            position=np.array(position, np.int32),
            cheese=squares == "c",
            poison=squares == "p",
            visits=visits,
            eaten=np.zeros(2, np.int32),
            time=np.int32(0),
        )
    )


@functools.cache
def compiled_step(game):
    return jax.jit(game.step)


def play(game, state, actions):
    rewards, step = [], compiled_step(game)
    for action in actions:
        state, reward, terminated, truncated = step(state, np.int32(action))
        assert not terminated
        rewards.append(float(reward))
    return state, rewards, bool(truncated)


def test_a_board_made_by_hand():
    game = MouseGame(size=4, duration=5)
    state = board(".c.. p... .... ...c", (0, 0))
    state, rewards, truncated = play(game, state, [RIGHT, LEFT, DOWN, UP])
    assert rewards == [0.5, 0.0, -1.0, 0.0]  # what was eaten is gone
    assert not truncated
    state, rewards, truncated = play(game, state, [RIGHT])
    assert rewards == [0.0]
    assert truncated
    assert state.visits.tolist() == [[3, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert jax.jit(game.score)(state) == {"return": -0.5, "cheese": 1, "poison": 1}
    assert np.argwhere(np.asarray(state.cheese)).tolist() == [[3, 3]]


@pytest.mark.parametrize(
    ("position", "action", "after"),
    [
        ((0, 1), UP, (1, 1)),
        ((2, 1), DOWN, (1, 1)),
        ((1, 0), LEFT, (1, 1)),
        ((1, 2), RIGHT, (1, 1)),
        ((1, 1), UP, (0, 1)),
        ((1, 1), DOWN, (2, 1)),
        ((1, 1), LEFT, (1, 0)),
        ((1, 1), RIGHT, (1, 2)),
    ],
)
def test_moves_and_the_wall_that_throws_back(position, action, after):
    state, _, _ = play(MouseGame(size=3), board("... ... ...", position), [action])
    assert tuple(state.position.tolist()) == after


# For a batch of games at a time.
score = jax.jit(jax.vmap(GAME.score))


@pytest.fixture(scope="module")
def boards():
    """300 boards, and the states, rewards and flags after each move of a random mouse."""

    def move(state, action):
        state, reward, *ends = jax.vmap(GAME.step)(state, action)
        return state, (state, reward, ends)

    @jax.jit
    def played():
        start = jax.vmap(GAME.reset)(jax.random.split(jax.random.key(5), 300))
        actions = jax.random.randint(jax.random.key(6), (GAME.duration, 300), 0, GAME.num_actions)
        return start, *jax.lax.scan(move, start, actions)[1]

    return jax.tree.map(np.asarray, played())


def test_boards_follow_the_distribution_of_the_rules(boards):
    start, *_ = boards
    assert not np.any(start.cheese & start.poison)
    assert np.all((start.position > 0) & (start.position < GAME.size - 1))  # not at the wall
    beginning = start.visits.astype(bool)
    assert np.all(np.argwhere(beginning)[:, 1:] == start.position)
    elsewhere = ~beginning
    assert not np.any((start.cheese | start.poison) & beginning)
    for plane, share in ((start.cheese, 0.3), (start.poison, 0.7 * 0.3)):
        error = np.sqrt(share * (1 - share) / elsewhere.sum())
        assert abs(plane[elsewhere].mean() - share) < 4 * error


def test_food_is_conserved_and_the_score_sums_the_rewards(boards):
    start, states, rewards, _ = boards
    for name, eaten in (("cheese", states.eaten[..., 0]), ("poison", states.eaten[..., 1])):
        left = getattr(states, name)
        there = getattr(start, name)
        np.testing.assert_array_equal(
            left.sum((-2, -1)) + eaten, np.tile(there.sum((-2, -1)), (200, 1))
        )
        assert not np.any(left & ~there)
    np.testing.assert_array_equal(states.visits.sum((-2, -1)), states.time + 1)
    scored = score(jax.tree.map(lambda a: a[-1], states))
    np.testing.assert_allclose(rewards.sum(0), scored["return"], atol=1e-4)


def test_the_time_limit_truncates_and_nothing_terminates(boards):
    """The observation does not contain the time, so a time limit is not a terminal state."""
    terminated, truncated = boards[3]
    assert not terminated.any()
    np.testing.assert_array_equal(truncated, np.tile(np.arange(1, 201)[:, None] == 200, 300))


def test_the_game_is_an_environment():
    assert isinstance(GAME, Environment)


def test_the_random_mouse_makes_the_reference_score(boards):
    """-4.1 points over 300 boards in an independent simulation of the same rules."""
    returns = boards[2].sum(0)
    error = returns.std() / np.sqrt(len(returns))
    assert abs(returns.mean() - -4.1) < 4 * np.sqrt(2) * error  # both means are of 300 boards


@pytest.mark.parametrize(("sight", "trail"), [(2, 4), (1, 0), (3, 2)])
def test_the_view_is_the_board_around_the_mouse(boards, sight, trail):
    game = MouseGame(sight=sight, trail=trail)
    states = jax.tree.map(lambda a: a[-1, :11], boards[1])
    views = np.asarray(jax.jit(jax.vmap(game.observe))(states))
    width = 2 * sight + 1
    assert views.shape == (11, width, width, 3 + trail)
    for state, view in zip(
        (jax.tree.map(lambda a, i=i: a[i], states) for i in range(11)), views, strict=True
    ):
        for i, j in np.ndindex(width, width):
            row, column = state.position - sight + (i, j)
            inside = 0 <= row < 13 and 0 <= column < 13
            expected = [False, False, True] + trail * [False]
            if inside:
                visits = state.visits[row, column]
                expected = [state.cheese[row, column], state.poison[row, column], False]
                expected += [visits >= k for k in range(1, trail + 1)]
            assert view[i, j].tolist() == expected


def toward_the_nearest_cheese(view, rng):
    """Breadth-first search around the poison; without reachable cheese, a random safe step."""
    cheese, poison, wall = np.moveaxis(view[..., :3], -1, 0).tolist()
    middle = len(view) // 2
    queue, seen = deque([((middle, middle), None)]), {(middle, middle)}
    while queue:
        (row, column), first = queue.popleft()
        if cheese[row][column]:
            return first
        for action, (down, right) in enumerate(MOVES):
            i, j = square = row + down, column + right
            inside = 0 <= i < len(view) and 0 <= j < len(view)
            if inside and square not in seen and not wall[i][j] and not poison[i][j]:
                seen.add(square)
                queue.append((square, action if first is None else first))
    free = [
        action
        for action in range(4)
        if (middle + MOVES[action][0], middle + MOVES[action][1]) in seen
    ]
    return rng.choice(free) if free else rng.integers(4)


def test_the_greedy_mouse_makes_the_reference_score(boards):
    """21.0 +- 0.3 in the reference simulation, from the 5x5 view alone."""
    rng = np.random.default_rng(0)
    states = jax.tree.map(lambda a: a[:100], boards[0])

    @jax.jit
    def move(states, actions):
        states, *_ = jax.vmap(GAME.step)(states, actions)
        return states, jax.vmap(GAME.observe)(states)

    views = jax.jit(jax.vmap(GAME.observe))(states)
    for _ in range(GAME.duration):
        actions = [toward_the_nearest_cheese(view, rng) for view in np.asarray(views)]
        states, views = move(states, np.array(actions))
    returns = np.asarray(score(states)["return"])
    error = np.hypot(returns.std() / np.sqrt(len(returns)), 0.3)
    assert abs(returns.mean() - 21.0) < 3 * error
