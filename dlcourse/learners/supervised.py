"""Learning to predict a target from an input: classifiers, regressors, anything with a label."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax

from dlcourse import metrics
from dlcourse.learner import Batch, Learner, Metrics, Rule, Trained
from dlcourse.learners.rule import HONOURS, forward, forward_in_training, start, update

# (outputs, targets) -> values [batch, ...], or values and weights
PerExample = Callable[[jax.Array, jax.Array], jax.Array | metrics.Weighted]


def supervised(
    model: nn.Module,
    loss: PerExample,
    rule: Rule,
    *,
    inputs: str = "image",
    target: str = "label",
    metrics_of: Sequence[metrics.Name] | Mapping[str, PerExample] = (),
    regularizer: Callable[[Any], jax.Array] | None = None,
    begin: Callable[[Any], Any] | None = None,
) -> Learner:
    """Minimises the mean of `loss(model(x), y)` over each batch, plus `regularizer(params)`.

        L(θ) = Σ_i w_i loss_i / Σ_i w_i + R(θ)

    The state is a `Trained`; `apply` gives the outputs of the model.

    Args:
        model: `model(x, train=...)`; dropout draws from the stream `dropout`.
        loss: values `[batch, ...]`, or a `metrics.Weighted` where some count less or not at all.
        rule: the optimizer and the policy, `config.rule(data)`.
        inputs: which entry of the batch is x.
        target: which entry is y.
        metrics_of: what is measured beside the loss. Names: these and the accuracy; metrics of
            counts, such as `f1`, in evaluation only, because each step of training would add a
            table of counts to a sum. A mapping: its functions alone.
        regularizer: R, a penalty on the weights; in training metrics it is part of the loss.
        begin: from the model's first variables to those that training begins with, such as
            `hub.Encoder.begin`.
    """
    measures, over_set = _measures(metrics_of)
    predict, train = forward(model, rule.policy), forward_in_training(model, rule.policy)

    def init(key: Any, batch: Batch) -> Trained:
        variables = model.init(key, batch[inputs])
        return start(rule, variables if begin is None else begin(variables))

    def measured(of: Mapping[str, PerExample], outputs: jax.Array, batch: Batch) -> Metrics:
        mask = batch.get("mask")
        return {n: metrics.mean(value(outputs, batch[target]), mask) for n, value in of.items()}

    def loss_of(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        outputs, model_state = train(params, model_state, batch[inputs], key)
        mean = measured({"loss": loss}, outputs, batch)["loss"]
        if regularizer is not None:
            mean = metrics.Mean(mean.total + regularizer(params) * mean.weight, mean.weight)
        return mean, (measured(measures, outputs, batch), model_state)

    def evaluate(state: Trained, batch: Batch) -> Metrics:
        outputs, y = predict(state, batch[inputs]), batch[target]
        counted = {n: value(outputs, y, batch.get("mask")) for n, value in over_set.items()}
        return measured({"loss": loss, **measures}, outputs, batch) | counted

    def apply(state: Trained, batch: Batch, key: Any) -> jax.Array:
        return predict(state, batch[inputs])

    return Learner(init, update(rule, loss_of), evaluate, apply, HONOURS)


def _measures(
    metrics_of: Sequence[metrics.Name] | Mapping[str, PerExample],
) -> tuple[Mapping[str, PerExample], Mapping[str, Callable[..., Any]]]:
    """Metrics of each example, and metrics over a set, both by name."""
    if isinstance(metrics_of, Mapping):
        return metrics_of, {}
    names = dict.fromkeys(("accuracy", *metrics_of))
    per_example, over_set = (
        {str(name): table[name] for name in names if name in table}
        for table in (metrics.PER_EXAMPLE, metrics.OVER_SET)
    )
    return per_example, over_set
