"""Generalised advantages against the double sum over episodes, and in a chain of known value."""

import jax
import numpy as np
import pytest

from dlcourse import learners

MOVES, WORLDS, DISCOUNT = 13, 5, 0.9


def by_episodes(reward, value, next_value, terminated, ended, trace):
    """Σ_k (γλ)^k δ_{t+k} over the rest of each episode, or of the rollout."""
    found = np.zeros(reward.shape)
    for world in range(reward.shape[1]):
        for first in range(len(reward)):
            factor = 1.0
            for t in range(first, len(reward)):
                after = 0.0 if terminated[t, world] else next_value[t, world]
                error = reward[t, world] + DISCOUNT * after - value[t, world]
                found[first, world] += factor * error
                factor *= DISCOUNT * trace
                if ended[t, world]:
                    break
    return found


@pytest.fixture(scope="module")
def rollout():
    """Episodes that terminate, that are truncated, that do both, and that the rollout cuts."""
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(3, MOVES, WORLDS)).astype(np.float32)
    terminated, truncated = generator.random((2, MOVES, WORLDS)) < 0.2
    ended = terminated | truncated
    assert (terminated & truncated).any()
    assert (truncated & ~terminated).any()
    assert not ended[-1].all()
    return *numbers, terminated, ended


@jax.jit
def advantages(rollout, trace):
    return learners.advantages(*rollout, discount=DISCOUNT, trace=trace)


@pytest.mark.parametrize("trace", [0.0, 0.3, 0.95, 1.0])
def test_advantages_are_the_double_sum_over_episodes(rollout, trace):
    expected = by_episodes(*rollout, trace)
    np.testing.assert_allclose(advantages(rollout, trace), expected, rtol=1e-5, atol=1e-5)


def test_without_a_trace_they_are_temporal_differences(rollout):
    reward, value, next_value, terminated, _ = rollout
    expected = reward + DISCOUNT * np.where(terminated, 0, next_value) - value
    np.testing.assert_allclose(advantages(rollout, 0.0), expected, rtol=1e-6, atol=1e-6)


def test_with_a_whole_trace_they_are_returns_less_the_value(rollout):
    """Behind a truncation and behind the cut the value of the state reached stands for the rest."""
    reward, value, next_value, terminated, ended = rollout
    # Within an episode the state reached is the state of the next move.
    next_value = np.where(ended, next_value, np.concatenate([value[1:], next_value[-1:]]))
    rollout = (reward, value, next_value, terminated, ended)
    after, expected = np.zeros(WORLDS), np.zeros(reward.shape)
    for t in reversed(range(MOVES)):
        rest = np.where(ended[t] | (t == MOVES - 1), next_value[t], after)
        after = reward[t] + DISCOUNT * np.where(terminated[t], 0, rest)
        expected[t] = after - value[t]
    np.testing.assert_allclose(advantages(rollout, 1.0), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("trace", [0.0, 0.5, 1.0])
def test_true_values_leave_no_advantage(trace):
    """Two states in turn, 1 point in the first: V = 1 / (1 - γ²) and γ / (1 - γ²).

    Truncations and the cut do not matter, because nothing is known better than the value.
    """
    turns = np.arange(MOVES + 1) % 2
    values = np.where(turns == 0, 1.0, DISCOUNT)[:, None] / (1 - DISCOUNT**2)
    reward = (turns[:-1] == 0).astype(np.float32)[:, None]
    never, some = np.zeros((MOVES, 1), bool), (np.arange(MOVES) % 4 == 3)[:, None]
    found = advantages((reward, values[:-1], values[1:], never, some), trace)
    np.testing.assert_allclose(found, 0, atol=1e-5)
    # A terminal state at the end is worth nothing, and a state that earns 1 before it 1.
    last = np.arange(MOVES)[:, None] == MOVES - 1
    found = np.asarray(advantages((reward, values[:-1], values[1:], last, last), trace))
    assert found[-1, 0] == pytest.approx(1 - values[-2, 0])
