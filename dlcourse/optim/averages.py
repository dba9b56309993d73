"""Averaged weights, which evaluation may use instead of the last ones."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import PyTree, Shaped

from dlcourse.optim.schedules import Number


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
