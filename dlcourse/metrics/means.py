"""Weighted means as two sums, and the values of any metrics."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Num, Shaped

from dlcourse.errors import UserError


class Mean(NamedTuple):
    """A weighted mean before the division.

    Two of them merge by adding both fields, so the mean over a set does not depend on how the set
    is cut into batches, padded or spread over devices.

    Attributes:
        total: Σ w v.
        weight: Σ w.
    """

    total: Float[Array, "*members"]
    weight: Float[Array, "*members"]

    @property
    def value(self) -> Float[ArrayLike, "*members"]:
        """Σ w v / Σ w; nan if the weight is 0."""
        return self.total / self.weight


class Loss(Mean):
    """The mean that training minimises. A run all of whose losses are not finite has diverged."""


class Perplexity(Mean):
    """`exp(Σ w v / Σ w)` of cross-entropies v: as many equally likely tokens leave one as unsure.

    The exponential is taken after the mean over the whole split.
    """

    @property
    def value(self) -> Float[ArrayLike, "*members"]:
        """The exponential of the mean; nan if the weight is 0."""
        return np.exp(np.asarray(self.total) / np.asarray(self.weight))


class Weighted(NamedTuple):
    """Values that count with weights of their own.

    Attributes:
        values: `[batch, *rest]`.
        weights: `[batch, *rest]`; 0 excludes a value: padding, masked tokens, ignored pixels.
    """

    values: Num[Array, "batch *rest"]
    weights: Shaped[Array, "batch *rest"]


def mean(
    values: Num[Array, "batch *rest"] | Weighted, mask: Shaped[Array, " batch"] | None = None
) -> Mean:
    """The weighted mean of `values`, not divided yet: (Σ w v, Σ w).

    Args:
        values: numbers of weight 1, or `Weighted` ones. Axes after the first hold more values of
            the same example.
        mask: a factor of each example's weights; 0 excludes the example. Default: 1.

    Raises:
        UserError: values and weights differ in shape.
    """
    values, weights = values if isinstance(values, Weighted) else (values, jnp.ones(values.shape))
    if values.shape != weights.shape:
        raise UserError(
            f"Values have shape {values.shape} and their weights {weights.shape}; "
            "each value needs one weight."
        )
    values, weights = values.astype(jnp.float32), weights.astype(jnp.float32)
    # `where`, not a product: a padded row may hold inf or nan, and 0 * inf is nan.
    if mask is not None:
        mask = mask.astype(jnp.float32).reshape(mask.shape + (1,) * (values.ndim - 1))
        weights = jnp.where(mask == 0, 0.0, weights * mask)
    return Mean(jnp.sum(jnp.where(weights == 0, 0.0, values * weights)), jnp.sum(weights))


def scalar(value: Num[Array, ""]) -> Mean:
    """A number with weight 1, such as a loss that is already averaged or a gradient norm."""
    return Mean(jnp.asarray(value, jnp.float32), jnp.ones((), jnp.float32))


def values(metrics: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The value of each metric on the host, in float64; nan where nothing was counted."""
    sums = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), dict(metrics))
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: np.asarray(metric.value) for name, metric in sums.items()}
