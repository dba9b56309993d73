"""Optimizers and learning-rate schedules with the names of the course, as optax chains.

x is the parameter tree, g the gradient of the loss at x, α the learning rate (the decks' α, η or
λ), t the step. Each optimizer takes α as a number, an array, or a schedule `step -> α`, and returns
an `optax.GradientTransformation`. They compose with `chain`, from the gradient to the update:

    chain(clip_by_global_norm(1.0), adam(warmup(1e-3, steps=500)))

Batch, stochastic and mini-batch gradient descent (decks 001, 003) are all `sgd`. They differ in the
number of examples over which g is averaged: all, one, or some.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PyTree, Shaped
from optax import chain as chain
from optax import clip_by_global_norm as clip_by_global_norm

from dlcourse import parameters

Step = Shaped[ArrayLike, "*steps"]
Schedule = Callable[[Step], Float[Array, "*steps"]]
Number = int | float | Float[Array, ""]
Rate = Number | Schedule
Mask = Callable[[PyTree], PyTree]


# Optimizers


def sgd(learning_rate: Rate) -> optax.GradientTransformation:
    """Gradient descent: `x_t+1 = x_t - α g_t`."""
    return optax.scale_by_learning_rate(learning_rate)


def momentum(learning_rate: Rate, beta: Number = 0.9) -> optax.GradientTransformation:
    """Momentum as an exponentially weighted average of the gradients (deck 001).

        v_t = β v_t-1 + (1 - β) g_t,    v_0 = 0
        x_t+1 = x_t - α v_t

    `optax.sgd(α, momentum=β)` and PyTorch omit the factor 1 - β, so that their velocity is larger
    by 1/(1 - β): `momentum(α, β)` equals `optax.sgd(α (1 - β), momentum=β)`.
    """
    return chain(optax.ema(beta, debias=False), optax.scale_by_learning_rate(learning_rate))


def adagrad(learning_rate: Rate, epsilon: Number = 1e-8) -> optax.GradientTransformation:
    """AdaGrad (deck 001; Duchi et al., 2011): a rate for each weight that falls with the sum of g².

        G_t = G_t-1 + g_t²,    G_0 = 0
        x_t+1 = x_t - α g_t / (√G_t + ε)

    `optax.adagrad` starts with G_0 = 0.1 and has ε inside the root, √(G_t + ε).
    """
    return chain(_scale_by_sum_of_squares(epsilon), optax.scale_by_learning_rate(learning_rate))


def rmsprop(
    learning_rate: Rate, beta: Number = 0.9, epsilon: Number = 1e-8
) -> optax.GradientTransformation:
    """RMSprop (deck 001): AdaGrad with an exponential moving average of g² instead of the sum.

        E_t = β E_t-1 + (1 - β) g_t²,    E_0 = 0
        x_t+1 = x_t - α g_t / (√E_t + ε)

    `optax.rmsprop` has ε inside the root, √(E_t + ε), by default.
    """
    return chain(
        optax.scale_by_rms(beta, epsilon, eps_in_sqrt=False),
        optax.scale_by_learning_rate(learning_rate),
    )


def adam(
    learning_rate: Rate,
    beta1: Number = 0.9,
    beta2: Number = 0.999,
    epsilon: Number = 1e-8,
) -> optax.GradientTransformation:
    """Adam (deck 001; Kingma and Ba, 2015): momentum over RMSprop, both with bias correction.

        v_t = β₁ v_t-1 + (1 - β₁) g_t,     v̂_t = v_t / (1 - β₁^t)
        s_t = β₂ s_t-1 + (1 - β₂) g_t²,    ŝ_t = s_t / (1 - β₂^t)
        x_t+1 = x_t - α v̂_t / (√ŝ_t + ε)

    Identical to `optax.adam`, which also has ε outside the root.
    """
    return optax.adam(learning_rate, beta1, beta2, epsilon)


def adamw(
    learning_rate: Rate,
    weight_decay: Number = 1e-2,
    beta1: Number = 0.9,
    beta2: Number = 0.999,
    epsilon: Number = 1e-8,
    mask: Mask = parameters.kernels,
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

        x_t+1 = x_t - α (v̂_t / (√ŝ_t + ε) + λ x_t)

    The decay bypasses the moments and shrinks all weights at the same rate, unlike the gradient of
    an L2 penalty (`losses.l2`).

    Args:
        learning_rate: α.
        weight_decay: λ.
        beta1, beta2, epsilon: as in `adam`.
        mask: `mask(params)` is True for the weights that decay; kernels by default.
    """
    return optax.adamw(learning_rate, beta1, beta2, epsilon, weight_decay=weight_decay, mask=mask)


def add_l2(weight_decay: Number, mask: Mask = parameters.kernels) -> optax.GradientTransformation:
    """Adds the gradient of the penalty ½ λ ‖x‖²: `g_t + λ x_t`.

    First in a chain, it replaces the penalty `losses.l2`: `chain(add_l2(5e-4), momentum(0.1))`.
    """
    return optax.add_decayed_weights(weight_decay, mask)


def freeze(
    optimizer: optax.GradientTransformation, frozen: str | Mask
) -> optax.GradientTransformationExtraArgs:
    """Applies `optimizer` to all parameters except the frozen ones.

    A frozen parameter has no update and no optimizer state. Clipping inside `optimizer` ignores its
    gradient.

    Args:
        optimizer: the optimizer of the other parameters.
        frozen: a regular expression for the paths of the frozen parameters, which have the form
            `encoder/Dense_0/kernel`; or a mask that is True for them.

    Raises:
        UserError: from `init`, if no parameter matches the regular expression.
    """

    def label(params: PyTree) -> PyTree:
        found = frozen(params) if callable(frozen) else parameters.matching(frozen, params)
        return jax.tree.map(lambda frozen: "frozen" if frozen else "trained", found)

    return optax.partition({"trained": optimizer, "frozen": optax.set_to_zero()}, label)


class _SumOfSquares(NamedTuple):
    total: PyTree[Array]


def _scale_by_sum_of_squares(epsilon: Number) -> optax.GradientTransformation:
    """The deck's AdaGrad. `optax.scale_by_rss` can only have ε inside the root."""

    def init(params: PyTree) -> _SumOfSquares:
        return _SumOfSquares(jax.tree.map(jnp.zeros_like, params))

    def update(
        gradient: PyTree, state: _SumOfSquares, params: PyTree | None = None
    ) -> tuple[PyTree, _SumOfSquares]:
        del params
        total = jax.tree.map(lambda sum_, g: sum_ + g**2, state.total, gradient)
        scaled = jax.tree.map(lambda g, sum_: g / (jnp.sqrt(sum_) + epsilon), gradient, total)
        return scaled, _SumOfSquares(total)

    return optax.GradientTransformation(init, update)


# Schedules: α(t) for the step t = 0, 1, 2, ... Durations are numbers of steps.


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


# Averaged weights


def ema(average: PyTree, new: PyTree, decay: Number) -> PyTree:
    """The exponential moving average of the weights: `decay · average + (1 - decay) · new`.

    Bias: initialised to zero, the average after t updates is the weighted mean of the weights times
    1 - decay^t; divide by this factor to correct it. Initialised to the first weights, the average
    needs no correction, and the first weights have a share of decay^t.
    """
    return jax.tree.map(lambda old, x: decay * old + (1 - decay) * x, average, new)


def warm_decay(decay: Number, updates: Shaped[ArrayLike, ""]) -> jax.Array:
    """The decay of a moving average that has seen t updates: `min(decay, (1 + t) / (10 + t))`.

    A constant decay of 0.999 would leave the first weights a share of 90 % after 100 updates; this
    one leaves them 0.1 after the first update, and is constant from t = (10 · decay - 1) /
    (1 - decay) on: 8,990 updates at 0.999. (TensorFlow's `ExponentialMovingAverage`.)
    """
    return jnp.minimum(decay, (1 + updates) / (10 + updates))
