"""Applying a rule: low precision, micro-batches, recomputed layers, frozen and averaged weights.

A gradient learner writes its forward pass with `forward` and `forward_in_training`, its loss as a
`LossFunction`, and takes its step from `update`. Everything in `Policy` then holds for it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dlcourse import metrics, optim, parameters
from dlcourse.learner import DIAGNOSTICS, Batch, Metrics, Policy, Rule, Trained

# Of a learner that does as the first lines say.
HONOURS = frozenset(Policy._fields) | {"optimizer"}

# (params, model_state, batch, key) -> (loss, (other metrics, new model_state))
LossFunction = Callable[[Any, Any, Batch, Any], tuple[metrics.Mean, tuple[Metrics, Any]]]


def cast(tree: Any, policy: Policy) -> Any:
    """Floating-point leaves in the policy's precision; others as they are."""
    return _floats_as(jnp.dtype(policy.precision), tree)


def _floats_as(dtype: Any, tree: Any) -> Any:
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree
    )


def forward_in_training(model: nn.Module, policy: Policy) -> Callable[..., Any]:
    """`(params, model_state, inputs, key) -> (outputs in float32, new model_state)`.

    Dropout draws from the key.
    """

    def apply(params: Any, model_state: Any, inputs: Any, key: Any) -> tuple[Any, Any]:
        outputs, model_state = model.apply(
            {"params": cast(params, policy), **model_state},
            cast(inputs, policy),
            train=True,
            rngs={"dropout": key},
            mutable=list(model_state),
        )
        return _floats_as(jnp.float32, outputs), model_state

    return apply


def forward(model: nn.Module, policy: Policy) -> Callable[[Trained, Any], Any]:
    """`(trained, inputs) -> outputs in float32`, as evaluation and users compute them."""

    def apply(trained: Trained, inputs: Any) -> Any:
        variables = {"params": cast(trained.weights, policy), **trained.model_state}
        return _floats_as(jnp.float32, model.apply(variables, cast(inputs, policy)))

    return apply


def start(rule: Rule, variables: Mapping[str, Any], part: str = "") -> Trained:
    """The first `Trained` of a network.

    Args:
        rule: how it will be trained.
        variables: `params` and the model's other collections, as Linen's `init` gives them.
        part: the name of the network where a learner has several; it leads the paths that
            `policy.freeze` matches.

    Raises:
        UserError: a learner of one network has no weight that `policy.freeze` matches.
    """
    model_state = {name: value for name, value in variables.items() if name != "params"}
    params, policy = variables["params"], rule.policy
    if policy.freeze is not None and not part:
        parameters.matching(policy.freeze, params)
    averaged = (params, jnp.zeros((), jnp.int32)) if policy.ema is not None else ()
    return Trained(params, model_state, _optimizer(rule, part).init(params), *averaged)


def update(
    rule: Rule, loss: LossFunction, part: str = "", name: str = "loss"
) -> Callable[[Trained, Batch, Any], tuple[Trained, Metrics]]:
    """`(trained, batch, key) -> (trained, metrics)`: one step of the optimizer down a mean loss.

    The metrics are the loss, those of the loss function, the norm of the gradient (of all weights
    that are not frozen, before clipping) and the learning rate, if an optimizer of
    `dlcourse.optim` ends the chain.

    Args:
        rule: the optimizer and the policy.
        loss: what is minimised, as a mean that is not divided yet.
        part: as in `start`.
        name: what the loss is called among the metrics.
    """
    optimizer = _optimizer(rule, part)
    differentiate = gradient(loss, rule.policy)

    def step(trained: Trained, batch: Batch, key: Any) -> tuple[Trained, Metrics]:
        slope, mean, others, model_state = differentiate(
            trained.params, trained.model_state, batch, key
        )
        updates, opt_state = optimizer.update(slope, trained.opt_state, trained.params)
        params = optax.apply_updates(trained.params, updates)
        averaged = _averaged(trained, params, rule.policy)
        after = Trained(params, model_state, opt_state, *averaged)
        return after, {name: metrics.Loss(*mean)} | others | described(slope, opt_state)

    def described(slope: Any, opt_state: Any) -> Metrics:
        norm = optax.tree.norm(_moving(slope, rule.policy, part))
        found = dict(zip(DIAGNOSTICS, [norm, *optim.rates(opt_state)], strict=False))
        lead = f"{part}_" if part else ""
        return {lead + name: metrics.scalar(value) for name, value in found.items()}

    return step


def gradient(loss: LossFunction, policy: Policy) -> Callable[..., Any]:
    """`(params, model_state, batch, key) -> (gradient, loss, other metrics, model_state)`.

    With values v_i and weights w_i of the examples,

        ∇L = Σ_i w_i ∇v_i / Σ_i w_i

    With `policy.accumulate = k` the batch is cut into k micro-batches, one in memory at a time.
    Their weighted gradients are summed and divided once, so without dropout and batch norm the
    gradient equals that of the whole batch, also when micro-batches weigh differently. Batch norm
    normalises each micro-batch by its own statistics and moves its running averages k times.

    With `policy.remat` the gradient is the same, and the backward pass holds the intermediate
    values of one layer at a time.
    """
    loss = _recomputed(loss) if policy.remat else loss

    def total(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        mean, (others, model_state) = loss(params, model_state, batch, key)
        return mean.total, (metrics.Mean(*mean), others, model_state)

    differentiate = jax.grad(total, has_aux=True)

    def whole(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        slope, (mean, others, model_state) = differentiate(params, model_state, batch, key)
        return _divided(slope, mean.weight), mean, others, model_state

    def accumulated(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        k = policy.accumulate
        # Every k-th example, so that each device keeps its share of each micro-batch.
        micro = jax.tree.map(
            lambda a: jnp.moveaxis(a.reshape(a.shape[0] // k, k, *a.shape[1:]), 1, 0), batch
        )

        def add(carry: Any, inputs: Any) -> Any:
            slopes, model_state = carry
            slope, (mean, others, model_state) = differentiate(params, model_state, *inputs)
            return (jax.tree.map(jnp.add, slopes, slope), model_state), (mean, others)

        zeros = jax.tree.map(jnp.zeros_like, params)
        (slopes, model_state), measured = jax.lax.scan(
            add, (zeros, model_state), (micro, jax.random.split(key, k))
        )
        mean, others = jax.tree.map(lambda m: m.sum(0), measured)
        return _divided(slopes, mean.weight), mean, others, model_state

    return accumulated if policy.accumulate > 1 else whole


def _divided(slopes: Any, weight: jax.Array) -> Any:
    """The mean gradient; 0 where no example counts."""
    return jax.tree.map(lambda slope: slope / jnp.where(weight > 0, weight, 1.0), slopes)


def _moving(slope: Any, policy: Policy, part: str) -> Any:
    """The gradients of the weights that are not frozen, as a list."""
    if policy.freeze is None:
        return slope
    frozen = parameters.found(policy.freeze, slope, part)
    leaves = zip(jax.tree.leaves(slope), jax.tree.leaves(frozen), strict=True)
    return [leaf for leaf, is_frozen in leaves if not is_frozen]


def _optimizer(rule: Rule, part: str) -> optax.GradientTransformation:
    """The optimizer, which keeps the weights that the policy freezes."""
    pattern = rule.policy.freeze
    if pattern is None:
        return rule.optimizer
    return optim.freeze(rule.optimizer, lambda params: parameters.found(pattern, params, part))


def _averaged(before: Trained, params: Any, policy: Policy) -> tuple[Any, ...]:
    """The moving average after an update, and how many it has seen; () without `policy.ema`."""
    if policy.ema is None:
        return ()
    decay = optim.warm_decay(policy.ema, before.updates)
    return optim.ema(before.average, params, decay), before.updates + 1


def _recomputed(loss: LossFunction) -> LossFunction:
    """`loss`, in which a model's layers are computed once more.

    Layers are the modules right inside the model, and in place of one whose class says
    `holds_layers = True`, such as an encoder under a head, those inside that one.

    Chen et al. (2016), "Training deep nets with sublinear memory cost". A checkpoint around the
    whole loss would save nothing: all of it would be computed again before any of it was used.

    On a CPU it saves nothing either: there XLA drops the barriers that keep both computations
    apart, before it merges what is equal.
    """
    inside: nn.Module | None = None

    def checkpoint(
        call: Callable, args: tuple, kwargs: dict, context: nn.module.InterceptorContext
    ) -> Any:
        module = context.module
        is_layer = len(module.path) == 1 or getattr(module.parent, "holds_layers", False)
        is_layer = is_layer and not getattr(module, "holds_layers", False)
        if context.method_name != "__call__" or not is_layer or module is inside:
            return call(*args, **kwargs)
        given = (args, kwargs)
        arrays = jax.tree.map(lambda leaf: leaf if isinstance(leaf, jax.Array) else None, given)

        def layer(module: nn.Module, arrays: Any) -> Any:
            nonlocal inside
            inside = module  # the layer's double, whose variables are those of the checkpoint
            # Arguments that are not arrays, such as `train=True`, must not be traced.
            args, kwargs = jax.tree.map(
                lambda leaf, array: leaf if array is None else array, given, arrays
            )
            return module(*args, **kwargs)

        return nn.remat(layer)(module, arrays)

    def intercepted(*args: Any) -> Any:
        with nn.intercept_methods(checkpoint):
            return loss(*args)

    return intercepted
