"""CartPole and Acrobot: step by step as Gymnasium computes them, and their episodes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse.environments import Acrobot, AcrobotState, CartPole, CartPoleState, Environment
from tests import ROOT

LIMIT = 120  # of the recorded episodes
WORLDS = {
    "CartPole": (CartPole(LIMIT), CartPoleState, 4.0),
    "Acrobot": (Acrobot(LIMIT), AcrobotState, 6.0),
}
RECORDED = np.load(ROOT / "tests" / "fixtures" / "environments.npz")
EPISODES = sorted({name.rpartition("/")[0] for name in RECORDED})


@pytest.fixture(scope="module", params=EPISODES)
def episode(request):
    """The rules, and what Gymnasium recorded; `tests/fixtures/make_environments.py`."""
    rows = ("before", "action", "after", "view", "reward", "terminated", "truncated")
    environment, state, _ = WORLDS[request.param.partition("/")[0]]
    return environment, state, {row: RECORDED[f"{request.param}/{row}"] for row in rows}


def near(found, expected, atol):
    """Equal but for full turns of the angles, which may be wrapped to either end."""
    turns = np.abs(np.asarray(found) - expected)
    assert np.minimum(turns, np.abs(turns - 2 * np.pi)).max() < atol


def test_each_step_equals_gymnasiums(episode):
    """From the recorded state before each step, so that errors do not add up."""
    environment, State, rows = episode

    @jax.jit
    @jax.vmap
    def step(before, action, time):
        state, *outcome = environment.step(State(before, time), action)
        return state.motion, environment.observe(state), *outcome

    times = np.arange(len(rows["action"]), dtype=np.int32)
    after, view, reward, terminated, truncated = step(
        rows["before"], rows["action"].astype(np.int32), times
    )
    near(after, rows["after"], 2e-6 * np.abs(rows["after"]).max())
    near(view, rows["view"], 2e-6 * np.abs(rows["after"]).max())
    np.testing.assert_array_equal(reward, rows["reward"])
    np.testing.assert_array_equal(terminated, rows["terminated"])
    np.testing.assert_array_equal(truncated, rows["truncated"])


def test_a_whole_episode_ends_as_gymnasiums(episode):
    """The same actions from the first state on; float32 errors grow from step to step."""
    environment, State, rows = episode

    def step(state, action):
        state, reward, *ends = environment.step(state, action)
        return state, (reward, ends)

    @jax.jit
    def play(motion, actions):
        end, played = jax.lax.scan(step, State(motion, jnp.int32(0)), actions)
        return end, played, environment.score(end)

    end, (reward, ends), score = play(rows["before"][0], rows["action"].astype(np.int32))
    near(end.motion, rows["after"][-1], 0.05)  # a double pendulum is chaotic
    np.testing.assert_array_equal(ends, [rows["terminated"], rows["truncated"]])
    assert score["return"] == rows["reward"].sum() == np.sum(reward)


def test_the_recorded_episodes_end_in_both_ways():
    ends = {name: (RECORDED[f"{name}/terminated"][-1], len(RECORDED[f"{name}/action"]))
            for name in EPISODES}  # fmt: skip
    assert ends == {
        "Acrobot/at_random": (False, 120), "Acrobot/pumping": (True, 119),
        "CartPole/at_random": (True, 15), "CartPole/upright": (False, 120),
    }  # fmt: skip


@pytest.mark.parametrize("name", WORLDS)
def test_an_episode_starts_near_rest(name, key):
    environment, *_ = WORLDS[name]
    assert isinstance(environment, Environment)
    starts = jax.jit(jax.vmap(environment.reset))(jax.random.split(key, 1001))
    most = {"CartPole": 0.05, "Acrobot": 0.1}[name]
    motion = np.asarray(starts.motion)
    assert np.abs(motion).max() <= most
    np.testing.assert_allclose(motion.mean(0), 0, atol=4 * most / np.sqrt(3 * 1001))
    assert not np.any(starts.time)


def test_the_defaults_are_gymnasiums_limits():
    assert CartPole().duration == Acrobot().duration == 500
