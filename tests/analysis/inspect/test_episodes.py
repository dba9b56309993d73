"""Recorded episodes: every state up to the end, and one compilation for both figures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import analysis, figures
from dlcourse.analysis.draw import control
from dlcourse.environments import Acrobot, CartPole, MouseGame

DOWN, LEFT = 0, 3


@pytest.fixture(scope="module")
def game() -> MouseGame:
    return MouseGame(size=5, sight=1, duration=7)


def act(state, batch, key):
    """A player that always goes where its state says."""
    return jax.nn.one_hot(jnp.full(len(batch["view"]), state), 4)


def test_an_episode_is_recorded_from_its_first_board_on(game):
    states = analysis.record_episode(game, act, jnp.array(DOWN), jax.random.key(2))
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
        return jax.random.normal(key, (1, 4))

    states = analysis.record_episode(game, random, jnp.array(0), jax.random.key(2))
    view = game.observe(game.reset(jax.random.key(2)))
    assert seen == [((1, *view.shape), view.dtype)]
    moves = {tuple(move) for move in np.diff(states.position, axis=0)}
    assert len(moves) > 2


def test_both_figures_show_the_same_board_and_compile_once(game, tmp_path):
    traces = []

    def counted(state, batch, key):
        traces.append(key)
        return act(state, batch, key)

    still = analysis.drawn_episode(game, counted, seed=3)(jnp.array(LEFT))
    animation = analysis.animated_episode(game, counted, seed=3)(jnp.array(LEFT))
    assert len(traces) == 1
    first = still.axes[0].images[0].get_array()
    np.testing.assert_array_equal(animation._func(0)[0].get_array(), first)
    figures.save(animation, tmp_path / "episode")


@pytest.mark.parametrize("world", [CartPole(), Acrobot(duration=30)])
def test_an_episode_of_control_is_drawn_up_to_its_end(world, tmp_path):
    """Always pushing left lets the pole fall after a few moves; the torque raises no tip in 30."""
    apply = lambda state, batch, key: jnp.eye(world.num_actions)[:1]  # noqa: E731
    episode = analysis.record_episode(world, apply, jnp.zeros(()), jax.random.key(1))
    moves = len(episode.time) - 1
    assert (moves == 30) if isinstance(world, Acrobot) else (5 < moves < 15)
    np.testing.assert_array_equal(episode.time, np.arange(moves + 1))
    places = control.joints(world, episode)
    np.testing.assert_allclose(np.linalg.norm(np.diff(places, axis=1), axis=-1), 1, rtol=1e-5)
    drawn = analysis.drawn_episode(world, apply, seed=1)(jnp.zeros(()))
    assert len(drawn.axes) == (2 if isinstance(world, CartPole) else 1)
    animation = analysis.animated_episode(world, apply, seed=1)(jnp.zeros(()))
    links, *_ = animation._func(moves)
    np.testing.assert_allclose(links.get_xydata(), places[-1])
    figures.save(animation, tmp_path / "episode")
