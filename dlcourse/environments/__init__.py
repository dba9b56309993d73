"""Environments in pure JAX: functions of an explicit state, so that `jit` and `vmap` apply."""

from dlcourse.environments.environment import Environment as Environment
from dlcourse.environments.mouse import MouseGame as MouseGame
from dlcourse.environments.mouse import MouseState as MouseState
