"""Optimizers, from the gradient to the update.

Each one is a direction u and a learning rate α, and each may decay the kernels towards zero:

    x_t+1 = x_t - α (u_t + λ x_t)

The decay, with coefficient λ = `weight_decay`, bypasses the moments ("decoupled": Loshchilov and
Hutter, 2019). It shrinks all weights at the same rate, unlike the gradient of an L2 penalty
(`losses.l2`), except for `sgd`, where the two are equal.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from dlcourse import parameters
from dlcourse.optim.schedules import Number, Rate

Mask = Callable[[PyTree], PyTree]


def sgd(learning_rate: Rate, *, weight_decay: Number | None = None) -> optax.GradientTransformation:
    """Gradient descent: `x_t+1 = x_t - α g_t`."""
    return _descent(optax.identity(), learning_rate, weight_decay)


def momentum(
    learning_rate: Rate, beta: Number = 0.9, *, weight_decay: Number | None = None
) -> optax.GradientTransformation:
    """Momentum as an exponentially weighted average of the gradients (deck 001).

        v_t = β v_t-1 + (1 - β) g_t,    v_0 = 0
        x_t+1 = x_t - α v_t

    `optax.sgd(α, momentum=β)` and PyTorch omit the factor 1 - β, so that their velocity is larger
    by 1/(1 - β): `momentum(α, β)` equals `optax.sgd(α (1 - β), momentum=β)`.
    """
    return _descent(optax.ema(beta, debias=False), learning_rate, weight_decay)


def adagrad(
    learning_rate: Rate, epsilon: Number = 1e-8, *, weight_decay: Number | None = None
) -> optax.GradientTransformation:
    """AdaGrad (deck 001; Duchi et al., 2011): a rate for each weight that falls with the sum of g².

        G_t = G_t-1 + g_t²,    G_0 = 0
        x_t+1 = x_t - α g_t / (√G_t + ε)

    `optax.adagrad` starts with G_0 = 0.1 and has ε inside the root, √(G_t + ε).
    """
    return _descent(_scale_by_sum_of_squares(epsilon), learning_rate, weight_decay)


def rmsprop(
    learning_rate: Rate,
    beta: Number = 0.9,
    epsilon: Number = 1e-8,
    *,
    weight_decay: Number | None = None,
) -> optax.GradientTransformation:
    """RMSprop (deck 001): AdaGrad with an exponential moving average of g² instead of the sum.

        E_t = β E_t-1 + (1 - β) g_t²,    E_0 = 0
        x_t+1 = x_t - α g_t / (√E_t + ε)

    `optax.rmsprop` has ε inside the root, √(E_t + ε), by default.
    """
    rms = optax.scale_by_rms(beta, epsilon, eps_in_sqrt=False)
    return _descent(rms, learning_rate, weight_decay)


def adam(
    learning_rate: Rate,
    beta1: Number = 0.9,
    beta2: Number = 0.999,
    epsilon: Number = 1e-8,
    *,
    weight_decay: Number | None = None,
) -> optax.GradientTransformation:
    """Adam (deck 001; Kingma and Ba, 2015): momentum over RMSprop, both with bias correction.

        v_t = β₁ v_t-1 + (1 - β₁) g_t,     v̂_t = v_t / (1 - β₁^t)
        s_t = β₂ s_t-1 + (1 - β₂) g_t²,    ŝ_t = s_t / (1 - β₂^t)
        x_t+1 = x_t - α v̂_t / (√ŝ_t + ε)

    Identical to `optax.adam`, which also has ε outside the root.
    """
    return _descent(optax.scale_by_adam(beta1, beta2, epsilon), learning_rate, weight_decay)


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

    Args:
        learning_rate: α.
        weight_decay: λ.
        beta1, beta2, epsilon: as in `adam`.
        mask: `mask(params)` is True for the weights that decay; kernels by default.
    """
    direction = optax.scale_by_adam(beta1, beta2, epsilon)
    return _descent(direction, learning_rate, weight_decay, mask)


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


class RateState(NamedTuple):
    """The state of the last transformation of a chain, which multiplies by the learning rate.

    Attributes:
        updates: how many there were, int32.
        rate: α of the last update; before the first one, of the first.
    """

    updates: Int[Array, ""]
    rate: Float[Array, ""]


def rates(opt_state: Any) -> list[Float[Array, ""]]:
    """The learning rates of the last update in an optimizer's state, one for each chain in it.

    Empty for a chain that none of these optimizers ends.
    """

    def is_rate(part: Any) -> bool:
        return isinstance(part, RateState)

    parts = jax.tree.leaves(opt_state, is_leaf=is_rate)
    return [part.rate for part in parts if is_rate(part)]


def _descent(
    direction: optax.GradientTransformation,
    rate: Rate,
    weight_decay: Number | None,
    mask: Mask = parameters.kernels,
) -> optax.GradientTransformation:
    """From the direction u to the update `-α (u + λ x)`."""
    decay = [] if weight_decay is None else [optax.add_decayed_weights(weight_decay, mask)]
    return optax.chain(direction, *decay, _scale_by_rate(rate))


def _scale_by_rate(rate: Rate) -> optax.GradientTransformation:
    """`-α(t) u_t`. Unlike optax's, its state holds α, so that a run can log it."""

    def at(step: Int[Array, ""]) -> Float[Array, ""]:
        return jnp.asarray(rate(step) if callable(rate) else rate, float)

    def init(params: PyTree) -> RateState:
        del params
        step = jnp.zeros((), jnp.int32)
        return RateState(step, at(step))

    def update(
        updates: PyTree, state: RateState, params: PyTree | None = None
    ) -> tuple[PyTree, RateState]:
        del params
        now = at(state.updates)
        scaled = jax.tree.map(lambda u: -now.astype(u.dtype) * u, updates)
        return scaled, RateState(optax.safe_increment(state.updates), now)

    return optax.GradientTransformation(init, update)


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
