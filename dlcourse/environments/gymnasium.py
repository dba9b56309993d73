"""The environments of this project as Gymnasium's, for learners and tools of other libraries.

pip install 'dlcourse[gymnasium]'

import gymnasium
import dlcourse.environments.gymnasium

game = gymnasium.make("dlcourse/Mouse-v0")
"""

import functools
from typing import Any

import jax
import numpy as np

from dlcourse.environments.environment import Environment
from dlcourse.environments.mouse import MouseGame
from dlcourse.errors import UserError

try:
    import gymnasium
except ModuleNotFoundError as error:
    raise UserError(
        f"The package '{error.name}' is not installed; environments of Gymnasium need it.\n"
        "  pip install 'dlcourse[gymnasium]'"
    ) from error


class Wrapped(gymnasium.Env):
    """An environment of this project behind Gymnasium's interface.

    `info` holds the `score` of the episode so far. Every reset draws a new episode from the
    generator that `reset(seed=...)` sets.

    Attributes:
        environment: the rules.
    """

    def __init__(self, environment: Environment) -> None:
        """
        Args:
            environment: one whose observations are planes of 0 and 1.
        """
        self.environment = environment
        self._reset = jax.jit(lambda key: self._seen(environment.reset(key)))
        self._step = jax.jit(lambda state, action: self._after(environment.step(state, action)))
        _, view, _ = jax.eval_shape(self._reset, jax.random.key(0))
        self.action_space = gymnasium.spaces.Discrete(environment.num_actions)
        self.observation_space = gymnasium.spaces.MultiBinary(view.shape)
        self._state: Any = None

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """The first observation of a new episode, and `info`."""
        super().reset(seed=seed)
        self._state, view, score = self._reset(jax.random.key(self.np_random.integers(2**31)))
        return _binary(view), _floats(score)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Observation, reward, terminated, truncated and `info` after an action."""
        (self._state, view, score), reward, *ends = self._step(self._state, np.int32(action))
        terminated, truncated = map(bool, ends)
        return _binary(view), float(reward), terminated, truncated, _floats(score)

    def _seen(self, state: Any) -> Any:
        return state, self.environment.observe(state), self.environment.score(state)

    def _after(self, outcome: Any) -> Any:
        state, *rest = outcome
        return self._seen(state), *rest


def _binary(view: jax.Array) -> np.ndarray:
    return np.asarray(view, np.int8)


def _floats(score: dict[str, Any]) -> dict[str, Any]:
    return {name: float(value) for name, value in score.items()}


gymnasium.register("dlcourse/Mouse-v0", entry_point=functools.partial(Wrapped, MouseGame()))
