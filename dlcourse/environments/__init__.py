"""Worlds written in JAX: pure functions of their state, so that `jit` and `vmap` reach through."""

from dlcourse.environments.environment import Environment as Environment
from dlcourse.environments.mouse import MouseGame as MouseGame
from dlcourse.environments.mouse import MouseState as MouseState
