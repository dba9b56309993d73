"""Environments in pure JAX: functions of an explicit state, so that `jit` and `vmap` apply.

`dlcourse.environments.gymnasium` makes Gymnasium environments of them; it needs that package.
"""

from dlcourse.environments.acrobot import Acrobot as Acrobot
from dlcourse.environments.acrobot import AcrobotState as AcrobotState
from dlcourse.environments.cartpole import CartPole as CartPole
from dlcourse.environments.cartpole import CartPoleState as CartPoleState
from dlcourse.environments.environment import Environment as Environment
from dlcourse.environments.mouse import MouseGame as MouseGame
from dlcourse.environments.mouse import MouseState as MouseState
