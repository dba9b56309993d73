"""Learning to predict a target from an input: classifiers, regressors, whatever has a label."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax

from dlcourse import metrics
from dlcourse.learner import Batch, Learner, Metrics, Policy
from dlcourse.learners import rule as gradients

# (outputs, targets) -> one value an example
PerExample = Callable[[jax.Array, jax.Array], jax.Array]


@flax.struct.dataclass
class SupervisedState:
    """The state of a supervised learner.

    Attributes:
        params: the weights, float32.
        model_state: what the model keeps beside them (running averages of batch norm).
        opt_state: the optimizer's.
        average: the moving average of the weights, None without one.
    """

    params: Any
    model_state: Any
    opt_state: Any
    average: Any


def supervised(
    model: nn.Module,
    loss: PerExample,
    optimizer: optax.GradientTransformation,
    *,
    inputs: str = "image",
    target: str = "label",
    metrics_of: Mapping[str, PerExample] | None = None,
    regularizer: Callable[[Any], jax.Array] | None = None,
    policy: Policy = Policy(),
) -> Learner:
    """Minimises the mean of `loss(model(x), y)` over each batch, plus `regularizer(params)`.

    Args:
        model: `model(x, train=...)`; dropout draws from the stream `dropout`.
        loss: one value an example.
        optimizer: an optax chain.
        inputs: which entry of the batch is x.
        target: which entry is y.
        metrics_of: what is measured beside the loss, by name; accuracy if not given.
        regularizer: a penalty on the weights; in training metrics it is part of the loss.
        policy: precision, micro-batches, averaged and frozen weights.
    """
    measures = {"accuracy": metrics.accuracy} if metrics_of is None else metrics_of
    optimizer = gradients.unfrozen(optimizer, policy)

    def init(key: Any, batch: Batch) -> SupervisedState:
        variables = model.init(key, batch[inputs])
        params = variables.pop("params")
        average = params if policy.ema is not None else None
        return SupervisedState(params, variables, optimizer.init(params), average)

    def measure(outputs: jax.Array, batch: Batch) -> Metrics:
        outputs, mask = outputs.astype(jnp.float32), batch.get("mask")
        values = {"loss": loss(outputs, batch[target])}
        values |= {name: of(outputs, batch[target]) for name, of in measures.items()}
        return {name: metrics.mean(value, mask) for name, value in values.items()}

    def loss_of(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        outputs, model_state = model.apply(
            {"params": gradients.cast(params, policy), **model_state},
            gradients.cast(batch[inputs], policy),
            train=True,
            rngs={"dropout": key},
            mutable=list(model_state),
        )
        measured = measure(outputs, batch)
        cost = measured["loss"].value
        if regularizer is not None:
            cost = cost + regularizer(params)
            weight = measured["loss"].weight
            measured["loss"] = metrics.Mean(cost * weight, weight)
        return cost, (measured, model_state)

    differentiate = gradients.value_and_grad(loss_of, policy)

    def step(state: SupervisedState, batch: Batch, key: Any) -> tuple[SupervisedState, Metrics]:
        gradient, measured, model_state = differentiate(state.params, state.model_state, batch, key)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        average = gradients.averaged(state.average, params, policy)
        return SupervisedState(params, model_state, opt_state, average), measured

    def evaluate(state: SupervisedState, batch: Batch) -> Metrics:
        return measure(predictor(model, inputs=inputs, policy=policy)(state, batch), batch)

    return Learner(init, step, evaluate)


def predictor(
    model: nn.Module, *, inputs: str = "image", policy: Policy = Policy()
) -> Callable[[SupervisedState, Batch], jax.Array]:
    """`(state, batch) -> outputs` of a trained model, with its averaged weights if it has them."""

    def predict(state: SupervisedState, batch: Batch) -> jax.Array:
        params = state.params if state.average is None else state.average
        return model.apply(
            {"params": gradients.cast(params, policy), **state.model_state},
            gradients.cast(batch[inputs], policy),
        ).astype(jnp.float32)

    return predict
