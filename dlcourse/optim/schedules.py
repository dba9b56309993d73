"""Learning-rate schedules: α(t) for the step t = 0, 1, 2, ...; durations are numbers of steps."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Shaped

Step = Shaped[ArrayLike, "*steps"]
Schedule = Callable[[Step], Float[Array, "*steps"]]
Number = int | float | Float[Array, ""]
Rate = Number | Schedule


def constant(rate: Number) -> Schedule:
    """`α(t) = α₀`."""
    return lambda step: jnp.full(jnp.shape(step), rate, jnp.float32)


def linear_decay(rate: Number, steps: int, final: Number = 0.0) -> Schedule:
    """A straight line from `rate` to `final`, then constant: `α₀ + (final - α₀) t / steps`."""
    return lambda step: rate + (final - rate) * jnp.clip(jnp.asarray(step) / steps, 0.0, 1.0)


def inverse_square_root(rate: Number, steps: int) -> Schedule:
    """`α(t) = α₀ √(steps / (steps + t))` (Vaswani et al., 2017).

    After a warm-up of as many steps, as in the paper, `warmup(inverse_square_root(α₀, w), w)` is
    α₀ √(w / t): the square root counts from the first step.
    """
    return lambda step: rate * jnp.sqrt(steps / (steps + jnp.asarray(step)))


def time_decay(rate: Number, decay: Number) -> Schedule:
    """Time-based decay (deck 001): `α(t) = α₀ / (1 + decay · t)`.

    The deck's t is the epoch. This is `staircase_decay` with the steps of one epoch as interval.
    """
    return lambda step: rate / (1 + decay * jnp.asarray(step))


def staircase_decay(rate: Number, decay: Number, interval: int) -> Schedule:
    """Time-based decay, constant within an interval: `α(t) = α₀ / (1 + decay · ⌊t / interval⌋)`.

    Deck 001 calls this hyperbola exponential decay; see `exponential_decay` for the exponential.
    """
    return lambda step: rate / (1 + decay * (jnp.asarray(step) // interval))


def exponential_decay(rate: Number, factor: Number, interval: int) -> Schedule:
    """`α(t) = α₀ · factor^(t / interval)`: multiplied by `factor` every `interval` steps."""
    return lambda step: rate * factor ** (jnp.asarray(step) / interval)


def step_decay(rate: Number, milestones: Sequence[int], factor: Number = 0.1) -> Schedule:
    """`α(t) = α₀ · factor^k`, with k the number of milestones m ≤ t."""

    def schedule(step: Step) -> Float[Array, "*steps"]:
        passed = sum((jnp.asarray(step) >= m for m in milestones), jnp.zeros_like(step))
        return rate * factor**passed

    return schedule


def warmup(rate: Rate, steps: int) -> Schedule:
    """Linear warm-up to `rate`, which may be a schedule that starts after the warm-up.

        α(t) = α(0) (t + 1) / (steps + 1)    for t < steps
        α(t) = rate(t - steps)               for t ≥ steps

    The first rate is not 0, so that the first step has an effect.
    """
    after = rate if callable(rate) else lambda step: rate

    def schedule(step: Step) -> Float[Array, "*steps"]:
        step = jnp.asarray(step)
        rising = after(0) * (step + 1) / (steps + 1)
        return jnp.where(step < steps, rising, after(jnp.maximum(step - steps, 0)))

    return schedule


def cosine_decay(rate: Number, steps: int, final: Number = 0.0) -> Schedule:
    """Half a cosine from `rate` to `final` (Loshchilov and Hutter, 2017), then constant.

        α(t) = final + (α₀ - final) (1 + cos(π t / steps)) / 2    for t ≤ steps

    With a warm-up over the first w of n steps: `warmup(cosine_decay(rate, n - w), w)`.
    """
    return lambda step: _half_cosine(rate, final, jnp.asarray(step) / steps)


def one_cycle(
    rate: Number,
    steps: int,
    rising: float = 0.3,
    first: Number = 1 / 25,
    last: Number = 1 / 250_000,
) -> Schedule:
    """One cycle (Smith and Topin, 2018): half a cosine up, then half a cosine down.

        from `first · rate` to `rate`    over the first w = ⌊rising · steps⌋ steps
        from `rate` to `last · rate`     over the remaining steps - w, then constant

    Deviation: the paper uses straight lines. The half cosines and the defaults are those of PyTorch
    and optax; the peak is at step w, as in optax, one step after PyTorch's.
    """
    peak = int(rising * steps)

    def schedule(step: Step) -> Float[Array, "*steps"]:
        step = jnp.asarray(step)
        up = _half_cosine(first * rate, rate, step / max(peak, 1))
        down = _half_cosine(rate, last * rate, (step - peak) / (steps - peak))
        return jnp.where(step < peak, up, down)

    return schedule


def _half_cosine(
    start: Number, end: Number, share: Float[Array, "*steps"]
) -> Float[Array, "*steps"]:
    """A half cosine from `start` at share 0 to `end` at share 1, constant outside [0, 1]."""
    share = jnp.clip(share, 0.0, 1.0)
    return end + (start - end) * 0.5 * (1.0 + jnp.cos(jnp.pi * share))
