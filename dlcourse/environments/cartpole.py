"""CartPole: keep a pole upright on a cart by pushing the cart left or right."""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

GRAVITY = 9.8  # m/s²
CART_MASS, POLE_MASS = 1.0, 0.1  # kg
HALF_LENGTH = 0.5  # of the pole, m
FORCE = 10.0  # of a push, N
SECONDS = 0.02  # in a step
LARGEST_POSITION = 2.4  # m
LARGEST_ANGLE = math.radians(12)


class CartPoleState(NamedTuple):
    """The state of an episode.

    Attributes:
        motion: position x of the cart in m, its velocity, the angle θ of the pole from upright in
            radians, its angular velocity.
        time: number of steps taken.
    """

    motion: Float[Array, "4"]
    time: Int[Array, ""]


@dataclasses.dataclass(frozen=True)
class CartPole:
    """A pole hinged to a cart on a track (Barto, Sutton and Anderson, 1983).

    With the force F of a push, the masses m of the pole and M of both, half the pole's length l,

        q = (F + m l θ'² sin θ) / M
        θ'' = (g sin θ - q cos θ) / (l (4/3 - m cos² θ / M))
        x'' = q - m l θ'' cos θ / M

    integrated by Euler's method in steps of 0.02 s. Action 0 pushes left, 1 right. Each step earns
    1 point, also the last one. The pole has fallen, a terminal state, when |θ| > 12° or
    |x| > 2.4 m. After `duration` steps an episode is truncated, so 500 points are the most. The
    observation is `motion`.

    The rules and numbers are those of Gymnasium's `CartPole-v1`, which computes in float64.

    Attributes:
        duration: steps in an episode at most.
    """

    duration: int = 500

    @property
    def num_actions(self) -> int:
        return 2

    def reset(self, key: Key[Array, ""]) -> CartPoleState:
        """All four quantities uniform in [-0.05, 0.05]."""
        motion = jax.random.uniform(key, (4,), minval=-0.05, maxval=0.05)
        return CartPoleState(motion, jnp.zeros((), jnp.int32))

    def step(
        self, state: CartPoleState, action: Int[Array, ""]
    ) -> tuple[CartPoleState, Float[Array, ""], Bool[Array, ""], Bool[Array, ""]]:
        """`(state, reward, terminated, truncated)` after a push."""
        _, velocity, angle, turning = state.motion
        force = jnp.where(action == 1, FORCE, -FORCE)
        sin, cos = jnp.sin(angle), jnp.cos(angle)
        mass, moment = CART_MASS + POLE_MASS, POLE_MASS * HALF_LENGTH
        q = (force + moment * turning**2 * sin) / mass
        turned = GRAVITY * sin - q * cos
        turned /= HALF_LENGTH * (4 / 3 - POLE_MASS * cos**2 / mass)
        pushed = q - moment * turned * cos / mass
        change = jnp.stack([velocity, pushed, turning, turned])
        state = CartPoleState(state.motion + SECONDS * change, state.time + 1)
        truncated = state.time >= self.duration
        return state, jnp.ones(()), fallen(state), truncated

    def observe(self, state: CartPoleState) -> Float[Array, "4"]:
        """Position, velocity, angle, angular velocity."""
        return state.motion

    def score(self, state: CartPoleState) -> dict[str, Float[Array, ""]]:
        """`return`, a point for each step."""
        return {"return": state.time.astype(jnp.float32)}


def fallen(state: CartPoleState) -> Bool[Array, ""]:
    """Whether the pole leans too far or the cart has left the track."""
    x, _, angle, _ = state.motion
    return (jnp.abs(x) > LARGEST_POSITION) | (jnp.abs(angle) > LARGEST_ANGLE)
