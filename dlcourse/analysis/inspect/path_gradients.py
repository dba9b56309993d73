"""Attribution by gradients along a path: integrated and expected gradients.

The values add up to the difference between the output at the example and at the baseline:

    Σ_i φ_i(x) = f(x) - f(x')
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# [batch, *axes] -> [batch]
Model = Callable[[Array], Array]


def integrated_gradients(
    model: Model,
    examples: Float[Array, "n *axes"],
    baseline: Float[Array, "*axes"],
    *,
    steps: int = 128,
) -> Float[Array, "n *axes"]:
    """The gradient averaged along the line from a baseline (Sundararajan et al., 2017).

        φ_i = (x_i - x'_i) ∫_0^1 ∂f/∂x_i (x' + t (x - x')) dt

    They add up to `f(x) - f(x')` up to the error of the midpoint rule. Each kink of a ReLU along
    the line adds an error of order 1 / steps: for an MLP on digits whose logits differ by 15, the
    sum has an error of 0.01 at 128 steps.

    Args:
        model: `[batch, *axes] -> [batch]`, one output: a class's logit, say.
        examples: x.
        baseline: x', an example without information: black, for white ink on black.
        steps: points along the line.
    """
    gradient = jax.grad(lambda x: jnp.sum(model(x)))
    offset = examples - baseline[None]

    def add(total: Array, t: Array) -> tuple[Array, None]:
        return total + gradient(baseline[None] + t * offset), None

    middles = (jnp.arange(steps) + 0.5) / steps
    total, _ = jax.lax.scan(add, jnp.zeros_like(offset), middles)
    return offset * total / steps


def expected_gradients(
    model: Model,
    examples: Float[Array, "n *axes"],
    background: Float[Array, "background *axes"],
    *,
    steps: int = 128,
) -> Float[Array, "n *axes"]:
    """Integrated gradients from many baselines, averaged (Erion et al., 2021).

        φ_i = E_{x'} [ (x_i - x'_i) ∫_0^1 ∂f/∂x_i (x' + t (x - x')) dt ]

    They add up to `f(x) - mean f(x')`, as Shapley values do, and need no single baseline without
    information. The authors draw x' and t at random; this uses every x' of the background and
    integrates over t, so the values add up up to the error of the midpoint rule.

    Args:
        model, examples, steps: as in `integrated_gradients`.
        background: typical examples x'.
    """

    def add(total: Array, baseline: Array) -> tuple[Array, None]:
        return total + integrated_gradients(model, examples, baseline, steps=steps), None

    total, _ = jax.lax.scan(add, jnp.zeros_like(examples), background)
    return total / len(background)
