"""Optimizers and learning-rate schedules under the course's names, as optax chains.

x is the parameter tree, g the gradient of the loss at x, α (the decks' α, η or λ) the learning
rate, t the step. Each optimizer takes α as a number, an array, or a schedule `step -> α`, and
gives an `optax.GradientTransformation`: any other of optax's fits in its place. They compose with
`chain`, from the gradient to the update:

    chain(clip_by_global_norm(1.0), adam(warmup(1e-3, steps=500)))

Batch, stochastic and mini-batch gradient descent (decks 001, 003) are one rule, `sgd`; they
differ in the batch that g is averaged over: all the examples, one, or some.
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

    `optax.sgd(α, momentum=β)` and PyTorch leave out the factor 1 - β: their velocity is 1/(1 - β)
    times as long, so `momentum(α, β)` is `optax.sgd(α (1 - β), momentum=β)`.
    """
    return chain(optax.ema(beta, debias=False), optax.scale_by_learning_rate(learning_rate))


def adagrad(learning_rate: Rate, epsilon: Number = 1e-8) -> optax.GradientTransformation:
    """AdaGrad (deck 001; Duchi et al., 2011): a rate for each weight, falling as g² adds up.

        G_t = G_t-1 + g_t²,    G_0 = 0
        x_t+1 = x_t - α g_t / (√G_t + ε)

    `optax.adagrad` begins at G_0 = 0.1 and has ε inside the root, √(G_t + ε).
    """
    return chain(_scale_by_sum_of_squares(epsilon), optax.scale_by_learning_rate(learning_rate))


def rmsprop(
    learning_rate: Rate, beta: Number = 0.9, epsilon: Number = 1e-8
) -> optax.GradientTransformation:
    """RMSprop (deck 001): AdaGrad with a memory that fades.

        E_t = β E_t-1 + (1 - β) g_t²,    E_0 = 0
        x_t+1 = x_t - α g_t / (√E_t + ε)

    `optax.rmsprop` has ε inside the root, √(E_t + ε), unless told otherwise.
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
    """Adam (deck 001; Kingma and Ba, 2015): momentum over RMSprop, both freed of their start at 0.

        v_t = β₁ v_t-1 + (1 - β₁) g_t,     v̂_t = v_t / (1 - β₁^t)
        s_t = β₂ s_t-1 + (1 - β₂) g_t²,    ŝ_t = s_t / (1 - β₂^t)
        x_t+1 = x_t - α v̂_t / (√ŝ_t + ε)

    The same as `optax.adam`, which has ε outside the root too.
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

    The decay does not pass through the moments, as the gradient of an L2 penalty
    (`losses.l2`) does: it shrinks every weight at the same rate. λ is `weight_decay`;
    `mask(params)` is True where it acts, kernels alone unless told otherwise.
    """
    return optax.adamw(learning_rate, beta1, beta2, epsilon, weight_decay=weight_decay, mask=mask)


def add_l2(weight_decay: Number, mask: Mask = parameters.kernels) -> optax.GradientTransformation:
    """Adds λ x to the gradient, which is what the penalty ½ λ ‖x‖² would: `g_t + λ x_t`.

    Put first in a chain it is `losses.l2` without the loss: `chain(add_l2(5e-4), momentum(0.1))`.
    """
    return optax.add_decayed_weights(weight_decay, mask)


def freeze(
    optimizer: optax.GradientTransformation, frozen: str | Mask
) -> optax.GradientTransformationExtraArgs:
    """`optimizer` for every parameter but those whose path matches a regular expression.

    A path reads `encoder/Dense_0/kernel`. A frozen parameter gets no update, and the optimizer
    keeps no moments for it. Clipping inside `optimizer` does not count its gradient.

    Args:
        optimizer: for the others.
        frozen: the regular expression; or a mask, True at the parameters that are frozen.

    Raises:
        UserError: from `init`, where no parameter matches.
    """

    def label(params: PyTree) -> PyTree:
        found = frozen(params) if callable(frozen) else parameters.matching(frozen, params)
        return jax.tree.map(lambda frozen: "frozen" if frozen else "trained", found)

    return optax.partition({"trained": optimizer, "frozen": optax.set_to_zero()}, label)


class _SumOfSquares(NamedTuple):
    total: PyTree[Array]


def _scale_by_sum_of_squares(epsilon: Number) -> optax.GradientTransformation:
    """The deck's AdaGrad; `optax.scale_by_rss` has ε in the root and no way to move it out."""

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


# Schedules: α(t) for the step t = 0, 1, 2, ... Every duration is counted in steps.


def time_decay(rate: Number, decay: Number) -> Schedule:
    """Time-based decay (deck 001): `α(t) = α₀ / (1 + decay · t)`.

    The deck's t is the number of the epoch: that is `staircase_decay` with the steps of one epoch
    as its interval.
    """
    return lambda step: rate / (1 + decay * jnp.asarray(step))


def staircase_decay(rate: Number, decay: Number, interval: int) -> Schedule:
    """Time-based decay that holds for an interval: `α(t) = α₀ / (1 + decay · ⌊t / interval⌋)`.

    Deck 001 introduces it as exponential decay, and writes this hyperbola. `exponential_decay`
    is the one of that name.
    """
    return lambda step: rate / (1 + decay * (jnp.asarray(step) // interval))


def exponential_decay(rate: Number, factor: Number, interval: int) -> Schedule:
    """`α(t) = α₀ · factor^(t / interval)`: times `factor` in every `interval` steps."""
    return lambda step: rate * factor ** (jnp.asarray(step) / interval)


def step_decay(rate: Number, milestones: Sequence[int], factor: Number = 0.1) -> Schedule:
    """`α(t) = α₀ · factor^k`, with k the number of milestones that are not after t."""

    def schedule(step: Step) -> Float[Array, "*steps"]:
        passed = sum((jnp.asarray(step) >= m for m in milestones), jnp.zeros_like(step))
        return rate * factor**passed

    return schedule


def warmup(rate: Rate, steps: int) -> Schedule:
    """A straight line up to `rate`, which may be a schedule that begins when the line ends.

        α(t) = α(0) (t + 1) / (steps + 1)    for t < steps
        α(t) = rate(t - steps)               from there on

    The line would be 0 at t = -1, so that the first step is not wasted.
    """
    after = rate if callable(rate) else lambda step: rate

    def schedule(step: Step) -> Float[Array, "*steps"]:
        step = jnp.asarray(step)
        rising = after(0) * (step + 1) / (steps + 1)
        return jnp.where(step < steps, rising, after(jnp.maximum(step - steps, 0)))

    return schedule


def cosine_decay(rate: Number, steps: int, final: Number = 0.0) -> Schedule:
    """Half a cosine from `rate` down to `final` (Loshchilov and Hutter, 2017), held from there on.

        α(t) = final + (α₀ - final) (1 + cos(π t / steps)) / 2    for t ≤ steps

    With warm-up over w of n steps: `warmup(cosine_decay(rate, n - w), w)`.
    """
    return lambda step: _half_cosine(rate, final, jnp.asarray(step) / steps)


def one_cycle(
    rate: Number,
    steps: int,
    rising: float = 0.3,
    first: Number = 1 / 25,
    last: Number = 1 / 250_000,
) -> Schedule:
    """One cycle (Smith and Topin, 2018): half a cosine up, half a cosine down, far below the start.

        from `first · rate` to `rate`    over the first w = ⌊rising · steps⌋ steps
        from `rate` to `last · rate`     over the steps - w others, and held from there on

    The paper draws straight lines; the half cosines and the default numbers are PyTorch's and
    optax's.
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
    """From `start` at share 0 to `end` at share 1, level at both and beyond."""
    share = jnp.clip(share, 0.0, 1.0)
    return end + (start - end) * 0.5 * (1.0 + jnp.cos(jnp.pi * share))


# Averaged weights


def ema(average: PyTree, new: PyTree, decay: Number) -> PyTree:
    """The exponential moving average of the weights: `decay · average + (1 - decay) · new`.

    Bias: begun at zeros, the average after t updates is the weighted mean of the weights times
    1 - decay^t, and dividing by that corrects it. Begun at a copy of the first weights it needs
    no correction; they keep a share decay^t in it.
    """
    return jax.tree.map(lambda old, x: decay * old + (1 - decay) * x, average, new)
