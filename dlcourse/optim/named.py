"""Optimizers and schedules by name, as the options of a run choose them."""

from typing import Literal

import optax

from dlcourse.optim import optimizers, schedules
from dlcourse.optim.schedules import Number, Rate

Optimizer = Literal["sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw"]
ScheduleName = Literal["constant", "linear", "cosine", "step", "inverse_sqrt", "one_cycle"]


def optimizer(
    name: Optimizer,
    rate: Rate,
    *,
    weight_decay: Number | None = None,
    clip: Number | None = None,
    betas: tuple[Number, Number] = (0.9, 0.999),
) -> optax.GradientTransformation:
    """The optimizer of this name, after clipping.

        g ← g min(1, clip / ‖g‖)    ‖g‖ over all weights together

    Args:
        name: `adamw` is `adam` with a weight decay of 0.01 if none is given.
        rate: α.
        weight_decay: λ of decoupled decay, of the kernels.
        clip: the largest norm of the gradient; None for any.
        betas: β₁ and β₂ of Adam; momentum has β₁.
    """
    if name == "adamw" and weight_decay is None:
        weight_decay = 1e-2
    beta1, beta2 = betas
    settings = {"momentum": (beta1,), "adam": (beta1, beta2), "adamw": (beta1, beta2)}
    make = optimizers.adam if name == "adamw" else getattr(optimizers, name)
    descent = make(rate, *settings.get(name, ()), weight_decay=weight_decay)
    return descent if clip is None else optax.chain(optax.clip_by_global_norm(clip), descent)


def schedule(name: ScheduleName, rate: Number, steps: int, rising: int = 0) -> Rate:
    """The schedule of this name over a run.

    Args:
        name: `step` divides the rate by 10 after a half and after three quarters of the run, as He
            et al. (2016) train on CIFAR-10. `inverse_sqrt` is meant to follow a warm-up.
        rate: the highest rate.
        steps: the length of the run.
        rising: steps of a linear warm-up, fewer than `steps`; of `one_cycle`, those of its half
            cosine up, which are 30 % of the run if 0 is given.

    Returns:
        A schedule `step -> α`; the number itself if it never changes.
    """
    left = steps - rising
    match name:
        case "one_cycle":
            share = (rising + 0.5) / steps if rising else 0.3  # the half: rounding goes down
            return schedules.one_cycle(rate, steps, share)
        case "constant":
            falling: Rate = rate
        case "linear":
            falling = schedules.linear_decay(rate, left)
        case "cosine":
            falling = schedules.cosine_decay(rate, left)
        case "step":
            milestones = (steps // 2 - rising, 3 * steps // 4 - rising)
            falling = schedules.step_decay(rate, milestones)
        case "inverse_sqrt":
            falling = schedules.inverse_square_root(rate, max(1, rising))
    return schedules.warmup(falling, rising) if rising else falling
