"""The deletion curve: how fast an output falls as the most important inputs are removed."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class DeletionCurve(NamedTuple):
    """The outputs of a model as inputs are removed, the most important first.

    Attributes:
        share: the share of inputs removed, from 0 to 1.
        outputs: the model's output at each share, for each example.
    """

    share: Float[np.ndarray, " points"]
    outputs: Float[np.ndarray, "n points"]

    @property
    def area(self) -> Float[np.ndarray, " n"]:
        """The area under each example's curve; the sooner the output falls, the smaller."""
        return np.trapezoid(self.outputs, self.share, axis=-1)


def deletion_curve(
    model: Callable[[Array], Array],
    examples: Float[Array, "n *axes"],
    attributions: Float[Array, "n *axes"],
    baseline: Float[Array, "*axes"],
    *,
    points: int = 21,
) -> DeletionCurve:
    """Replaces one input after another by the baseline (Petsiuk et al., 2018).

    The better the attributions rank the inputs, the faster the output falls. Compare the area with
    that of another method, or of random values.

    Args:
        model: `[batch, *axes] -> [batch]`, a class's probability, say.
        attributions: inputs are removed from the highest to the lowest value.
        points: the number of shares, with 0 and 1 among them.
    """
    flat = attributions.reshape(len(attributions), -1)
    rank = jnp.argsort(jnp.argsort(-flat, axis=-1), axis=-1).reshape(examples.shape)
    counts = np.round(np.linspace(0, flat.shape[1], points)).astype(int)
    left = jax.lax.map(
        lambda count: model(jnp.where(rank < count, baseline[None], examples)), jnp.asarray(counts)
    )
    return DeletionCurve(counts / flat.shape[1], np.asarray(left).T)
