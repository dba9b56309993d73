"""Gradients under a policy: in lower precision, over micro-batches, with averaged weights."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from dlcourse.learner import Batch, Metrics, Policy
from dlcourse.optim import ema

# (params, model_state, batch, key) -> (mean loss, (metrics, new model_state))
LossFunction = Callable[[Any, Any, Batch, Any], tuple[jax.Array, tuple[Metrics, Any]]]


def cast(tree: Any, policy: Policy) -> Any:
    """Floating-point leaves in the policy's precision; others as they are."""
    dtype = jnp.dtype(policy.precision)
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree
    )


def value_and_grad(loss: LossFunction, policy: Policy) -> Callable[..., Any]:
    """`(params, model_state, batch, key) -> (gradient, metrics, model_state)` of a mean loss.

    With `policy.accumulate = k` the batch is cut into k equal micro-batches and their gradients
    are averaged, one in memory at a time: the mean of equal means is the mean, so without dropout
    and batch norm the gradient equals that of the whole batch. Batch norm normalises each
    micro-batch by its own statistics, and moves its running averages k times.
    """
    differentiate = jax.grad(loss, has_aux=True)

    def whole(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        gradient, (metrics, model_state) = differentiate(params, model_state, batch, key)
        return gradient, metrics, model_state

    def accumulated(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        k = policy.accumulate
        # Every k-th example, so that each device keeps its share of each micro-batch.
        micro = jax.tree.map(
            lambda a: jnp.moveaxis(a.reshape(a.shape[0] // k, k, *a.shape[1:]), 1, 0), batch
        )

        def add(carry: Any, inputs: Any) -> Any:
            total, model_state = carry
            gradient, metrics, model_state = whole(params, model_state, *inputs)
            return (jax.tree.map(jnp.add, total, gradient), model_state), metrics

        zeros = jax.tree.map(jnp.zeros_like, params)
        (total, model_state), metrics = jax.lax.scan(
            add, (zeros, model_state), (micro, jax.random.split(key, k))
        )
        gradient = jax.tree.map(lambda g: g / k, total)
        return gradient, jax.tree.map(lambda m: m.sum(0), metrics), model_state

    return accumulated if policy.accumulate > 1 else whole


def averaged(average: Any, params: Any, policy: Policy) -> Any:
    """The moving average of the weights after an update; None without `policy.ema`.

    It begins at the first weights, so it needs no bias correction.
    """
    return None if policy.ema is None else ema(average, params, policy.ema)
