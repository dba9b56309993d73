"""The mouse game as a Gymnasium environment."""

import jax
import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env  # noqa: E402

import dlcourse.environments.gymnasium  # noqa: E402, F401
from dlcourse.environments import MouseGame  # noqa: E402


@pytest.fixture(scope="module")
def game():
    return gymnasium.make("dlcourse/Mouse-v0")


def test_gymnasiums_checker_has_nothing_to_say(game):
    """Warnings are errors here."""
    check_env(game.unwrapped)


def test_it_plays_by_the_rules_of_the_mouse_game(game):
    rules = MouseGame()
    view, score = game.reset(seed=3)
    seed = np.random.Generator(np.random.PCG64(np.random.SeedSequence(3))).integers(2**31)
    state = jax.jit(rules.reset)(jax.random.key(seed))
    step, observe = jax.jit(rules.step), jax.jit(rules.observe)
    np.testing.assert_array_equal(view, observe(state))
    total = 0.0
    for number in range(200):
        view, reward, terminated, truncated, score = game.step(number % 3)
        state, expected, *ends = step(state, np.int32(number % 3))
        np.testing.assert_array_equal(view, observe(state))
        assert (reward, terminated, truncated) == (float(expected), *ends)
        total += reward
    assert truncated
    assert score["return"] == pytest.approx(total)


def test_another_reset_is_another_board(game):
    first, _ = game.reset(seed=3)
    again, _ = game.reset(seed=3)
    other, _ = game.reset()
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)
