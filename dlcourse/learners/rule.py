"""Gradients under a policy: in lower precision, over micro-batches, with averaged weights.

A gradient learner keeps every promise of `Policy` by four calls: `cast` what a model is given,
take `value_and_grad` of its loss, let `unfrozen` have its optimizer, and `averaged` its weights.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dlcourse import optim
from dlcourse.learner import Batch, Metrics, Policy

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

    With `policy.remat` the gradient is the same, and the backward pass holds the intermediate
    values of one layer at a time.
    """
    differentiate = jax.grad(_recomputed(loss) if policy.remat else loss, has_aux=True)

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


def _recomputed(loss: LossFunction) -> LossFunction:
    """`loss`, in which a model's layers (the modules right inside it) are computed once more.

    Chen et al. (2016), "Training deep nets with sublinear memory cost". A checkpoint around the
    whole loss would save nothing: all of it would be computed again before any of it was used.

    On a CPU it saves nothing either: there XLA drops the barriers that keep both computations
    apart, before it merges what is equal.
    """

    inside: nn.Module | None = None

    def again(
        call: Callable, args: tuple, kwargs: dict, context: nn.module.InterceptorContext
    ) -> Any:
        module = context.module
        if context.method_name != "__call__" or len(module.path) != 1 or module is inside:
            return call(*args, **kwargs)
        given = (args, kwargs)
        arrays = jax.tree.map(lambda leaf: leaf if isinstance(leaf, jax.Array) else None, given)

        def layer(module: nn.Module, arrays: Any) -> Any:
            nonlocal inside
            inside = module  # the layer's double, whose variables are those of the checkpoint
            # What is no array, such as `train=True`, is not for JAX to trace.
            args, kwargs = jax.tree.map(
                lambda leaf, array: leaf if array is None else array, given, arrays
            )
            return module(*args, **kwargs)

        return nn.remat(layer)(module, arrays)

    def intercepted(*args: Any) -> Any:
        with nn.intercept_methods(again):
            return loss(*args)

    return intercepted


def unfrozen(
    optimizer: optax.GradientTransformation, policy: Policy
) -> optax.GradientTransformation:
    """`optimizer`, which leaves the weights as they are that `policy.freeze` names."""
    return optimizer if policy.freeze is None else optim.freeze(optimizer, policy.freeze)


def averaged(average: Any, params: Any, policy: Policy) -> Any:
    """The moving average of the weights after an update; None without `policy.ema`.

    It begins at the first weights, so it needs no bias correction.
    """
    return None if policy.ema is None else optim.ema(average, params, policy.ema)
