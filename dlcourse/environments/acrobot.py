"""Acrobot: swing a double pendulum up by a torque at its elbow."""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

GRAVITY = 9.8  # m/s²
CENTRE = 0.5  # of mass of a link of 1 m and 1 kg, from its upper end, m
INERTIA = 1.0  # of a link, kg m²
SECONDS = 0.2  # in a step
LARGEST_VELOCITIES = (4 * math.pi, 9 * math.pi)


class AcrobotState(NamedTuple):
    """The state of an episode.

    Attributes:
        motion: the angle θ₁ of the upper link from hanging down and the angle θ₂ of the lower one
            from the upper, in radians, and their angular velocities.
        time: number of steps taken.
    """

    motion: Float[Array, "4"]
    time: Int[Array, ""]


@dataclasses.dataclass(frozen=True)
class Acrobot:
    """A double pendulum with a motor at the elbow (Sutton, 1996; Sutton and Barto, 1998).

    The equations of motion are those of the book, with links of 1 kg and 1 m. They are integrated
    by one step of the classical Runge-Kutta method over 0.2 s; then the angles are wrapped into
    [-π, π] and the velocities clipped to 4π and 9π. The actions 0, 1, 2 are torques of -1, 0 and
    1 Nm. A step costs 1 point, except the one that raises the tip more than 1 m above the hinge, a
    terminal state:

        -cos θ₁ - cos(θ₁ + θ₂) > 1

    After `duration` steps an episode is truncated. The observation is
    (cos θ₁, sin θ₁, cos θ₂, sin θ₂, θ₁', θ₂').

    The rules and numbers are those of Gymnasium's `Acrobot-v1`, which computes in float64.

    Attributes:
        duration: steps in an episode at most.
    """

    duration: int = 500

    @property
    def num_actions(self) -> int:
        return 3

    def reset(self, key: Key[Array, ""]) -> AcrobotState:
        """All four quantities uniform in [-0.1, 0.1]."""
        motion = jax.random.uniform(key, (4,), minval=-0.1, maxval=0.1)
        return AcrobotState(motion, jnp.zeros((), jnp.int32))

    def step(
        self, state: AcrobotState, action: Int[Array, ""]
    ) -> tuple[AcrobotState, Float[Array, ""], Bool[Array, ""], Bool[Array, ""]]:
        """`(state, reward, terminated, truncated)` after a torque."""
        torque = action.astype(jnp.float32) - 1
        at = state.motion
        first = _change(at, torque)
        second = _change(at + SECONDS / 2 * first, torque)
        third = _change(at + SECONDS / 2 * second, torque)
        fourth = _change(at + SECONDS * third, torque)
        at = at + SECONDS / 6 * (first + 2 * second + 2 * third + fourth)
        angles = jnp.remainder(at[:2] + math.pi, 2 * math.pi) - math.pi
        largest = jnp.array(LARGEST_VELOCITIES)
        velocities = jnp.clip(at[2:], -largest, largest)
        state = AcrobotState(jnp.concatenate([angles, velocities]), state.time + 1)
        up = raised(state)
        return state, up.astype(jnp.float32) - 1, up, state.time >= self.duration

    def observe(self, state: AcrobotState) -> Float[Array, "6"]:
        """Cosine and sine of both angles, and the angular velocities."""
        upper, lower, *velocities = state.motion
        cos, sin = jnp.cos, jnp.sin
        return jnp.stack([cos(upper), sin(upper), cos(lower), sin(lower), *velocities])

    def score(self, state: AcrobotState) -> dict[str, Float[Array, ""]]:
        """`return`, -1 for each step but the one that raised the tip."""
        return {"return": raised(state).astype(jnp.float32) - state.time}


def raised(state: AcrobotState) -> Bool[Array, ""]:
    """Whether the tip is more than 1 m above the hinge."""
    upper, lower = state.motion[:2]
    return -jnp.cos(upper) - jnp.cos(upper + lower) > 1


def _change(motion: Float[Array, "4"], torque: Float[Array, ""]) -> Float[Array, "4"]:
    """The time derivative of the motion."""
    upper, lower, upper_velocity, lower_velocity = motion
    cos = jnp.cos(lower)
    d1 = 2 * CENTRE**2 + 1 + 2 * CENTRE * cos + 2 * INERTIA
    d2 = CENTRE**2 + CENTRE * cos + INERTIA
    pull = CENTRE * jnp.sin(lower)
    phi2 = CENTRE * GRAVITY * jnp.sin(upper + lower)
    phi1 = -pull * lower_velocity * (lower_velocity + 2 * upper_velocity)
    phi1 += (CENTRE + 1) * GRAVITY * jnp.sin(upper) + phi2
    below = torque + d2 / d1 * phi1 - pull * upper_velocity**2 - phi2
    below /= CENTRE**2 + INERTIA - d2**2 / d1
    above = -(d2 * below + phi1) / d1
    return jnp.stack([upper_velocity, lower_velocity, above, below])
