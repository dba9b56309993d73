"""Pretraining BERT: hidden tokens, and whether the second stretch of text follows."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from dlcourse import losses, metrics, streams
from dlcourse.data.masking import Masking
from dlcourse.data.pairs import FOLLOWS, SAME_DOCUMENT
from dlcourse.learner import Batch, Learner, Metrics, Rule, Trained
from dlcourse.learners.rule import HONOURS, forward, forward_in_training, start, update


def pretraining(model: nn.Module, rule: Rule, masking: Masking) -> Learner:
    """Minimises the sum of two mean cross-entropies (Devlin et al., 2019; deck 003).

        L(θ) = -mean_t log P(token_t | text with hidden tokens) - mean_i log P(kind_i | text_i)

    The first mean, `mlm_loss`, is over all hidden tokens of the batch, the second, `nsp_loss`, over
    its pairs of texts: does the second follow? `mlm_accuracy` and `nsp_accuracy` are those of the
    most probable answers. Tokens are hidden anew in every step, before the batch is cut into
    micro-batches; in evaluation each example has its own key.

    In evaluation these four leave out pairs of one document that do not follow each other.
    `nsp_accuracy_same_document` counts them and those that do.

    `apply` gives the logits of both tasks as `models.BERTPretraining` does, for `tokens` as the
    batch holds them, `[MASK]` where a token is wanted; `segments` and `places` may be absent.

    Args:
        model: `models.BERTPretraining`, with both tasks.
        rule: the optimizer and the policy, `config.rule(data)`.
        masking: of the data set.
    """
    predict, train = forward(model, rule.policy), forward_in_training(model, rule.policy)

    def hidden(batch: Batch, keys: Any) -> Batch:
        """The batch with hidden tokens. `share` is pairs over hidden tokens, of the whole batch."""
        found = batch | jax.vmap(masking)(keys, batch["tokens"], batch["units"])
        mask = batch.get("mask", jnp.ones(len(keys)))
        tokens = jnp.sum(found["weights"] * mask[:, None])
        share = jnp.sum(mask) / jnp.where(tokens > 0, tokens, 1.0)
        return found | {"share": jnp.full(len(keys), share)}

    def inputs(batch: Batch) -> Batch:
        names = ("tokens", "segments", "places")
        return {name: batch[name] for name in names if name in batch}

    def init(key: Any, batch: Batch) -> Trained:
        keys = jax.random.split(key, len(batch["tokens"]))
        return start(rule, model.init(key, inputs(hidden(batch, keys))))

    def measured(outputs: Any, batch: Batch, mask: Any) -> Metrics:
        follows = (batch["kind"] != FOLLOWS).astype(jnp.int32)
        both = {
            "mlm": (outputs["masked"], batch["wanted"], batch["weights"]),
            "nsp": (outputs["follows"], follows, jnp.ones(len(follows))),
        }
        measures: dict[str, Any] = {
            "loss": losses.softmax_cross_entropy,
            "accuracy": metrics.accuracy,
        }
        return {
            f"{task}_{name}": metrics.mean(metrics.Weighted(value(logits, answers), weights), mask)
            for task, (logits, answers, weights) in both.items()
            for name, value in measures.items()
        }

    def loss_of(params: Any, model_state: Any, batch: Batch, key: Any) -> Any:
        outputs, model_state = train(params, model_state, inputs(batch), key)
        found = measured(outputs, batch, batch.get("mask"))
        mlm, nsp = found["mlm_loss"], found["nsp_loss"]
        # One weight for both: micro-batches differ in hidden tokens, but share this ratio.
        total = metrics.Mean(nsp.total + batch["share"][0] * mlm.total, nsp.weight)
        return total, (found, model_state)

    move = update(rule, loss_of)

    def step(state: Trained, batch: Batch, key: Any) -> tuple[Trained, Metrics]:
        mask_key, key = jax.random.split(key)
        keys = jax.random.split(mask_key, len(batch["tokens"]))
        return move(state, hidden(batch, keys), key)

    def evaluate(state: Trained, batch: Batch) -> Metrics:
        batch = hidden(batch, streams.of_examples("masked tokens", batch["index"]))
        outputs = predict(state, inputs(batch))
        is_same = batch["kind"] == SAME_DOCUMENT
        found = measured(outputs, batch, jnp.where(is_same, 0.0, batch["mask"]))
        harder = jnp.where(is_same | (batch["kind"] == FOLLOWS), batch["mask"], 0.0)
        same = measured(outputs, batch, harder)["nsp_accuracy"]
        return found | {"nsp_accuracy_same_document": same}

    def apply(state: Trained, batch: Batch, key: Any) -> Any:
        return predict(state, inputs(batch))

    return Learner(init, step, evaluate, apply, HONOURS)
