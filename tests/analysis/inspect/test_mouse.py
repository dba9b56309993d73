"""Recorded episodes of the mouse game: every board, and one compilation for both figures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import figures
from dlcourse.analysis.inspect import mouse
from dlcourse.environments import MouseGame

DOWN, LEFT = 0, 3


@pytest.fixture(scope="module")
def game() -> MouseGame:
    return MouseGame(size=5, sight=1, duration=7)


def act(state, batch, key):
    """A player that always goes where its state says."""
    return jnp.full(len(batch["view"]), state)


def test_an_episode_is_recorded_from_its_first_board_on(game):
    states = mouse.record(game, act, jnp.array(DOWN), jax.random.key(2))
    start = game.reset(jax.random.key(2))
    np.testing.assert_array_equal(states.cheese[0], start.cheese)
    np.testing.assert_array_equal(states.time, np.arange(8))
    rows = [int(start.position[0])]
    for _ in range(7):
        rows.append(rows[-1] + 1 if rows[-1] < 4 else 3)
    np.testing.assert_array_equal(states.position[:, 0], rows)
    np.testing.assert_array_equal(states.position[:, 1], start.position[1])


def test_the_player_sees_views_in_a_batch_and_a_new_key_at_each_move(game):
    seen = []

    def random(state, batch, key):
        seen.append((batch["view"].shape, batch["view"].dtype))
        return jax.random.randint(key, (1,), 0, 4)

    states = mouse.record(game, random, jnp.array(0), jax.random.key(2))
    view = game.observe(game.reset(jax.random.key(2)))
    assert seen == [((1, *view.shape), view.dtype)]
    moves = {tuple(move) for move in np.diff(states.position, axis=0)}
    assert len(moves) > 2


def test_both_figures_show_the_same_board_and_compile_once(game, tmp_path):
    traces = []

    def counted(state, batch, key):
        traces.append(key)
        return act(state, batch, key)

    still = mouse.drawn(game, counted, seed=3)(jnp.array(LEFT))
    animation = mouse.animated(game, counted, seed=3)(jnp.array(LEFT))
    assert len(traces) == 1
    first = still.axes[0].images[0].get_array()
    np.testing.assert_array_equal(animation._func(0)[0].get_array(), first)
    figures.save(animation, tmp_path / "episode")
