"""Learning to translate, and translating by beam search."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from dlcourse import losses, metrics
from dlcourse.data.translation import END, PADDING, START
from dlcourse.learner import Batch, Learner, Metrics, Rule, Trained
from dlcourse.learners.supervised import supervised
from dlcourse.models import beam_search
from dlcourse.models.sequence.beam import repeated
from dlcourse.models.sequence.encoder_decoder import begins

SEGMENTS = ("source_segment", "target_segment")


def translation(
    model: nn.Module,
    rule: Rule,
    *,
    length: int,
    beams: int = 1,
    alpha: float = 0.6,
    smoothing: float = 0.0,
) -> Learner:
    """Minimises the mean cross-entropy of the target tokens, each given those before it.

        L(θ) = -mean_t log P(y_t | START, y_1, ..., y_t-1, source)

    in nats a token, over all tokens that are no padding, the end included (teacher forcing). With
    label smoothing s the target is 1 - s on the token plus s / vocabulary on every token; then
    `cross_entropy` is without it, and the perplexity is that of it.

    `apply` translates each `source` of the batch, `[batch, source]`, by beam search: the best
    hypothesis, int32 `[batch, length]`, with end tokens after its end.

    Args:
        model: `model(pair, train=...)`, with `start` and `decode` as `models.Transformer` has them.
        rule: the optimizer and the policy, `config.rule(data)`.
        length: tokens of the longest translation.
        beams: width of the beam; 1 for the most probable token at every step.
        alpha: strength of the length penalty; see `models.beam_search`.
        smoothing: s.
    """

    def loss(logits: jax.Array, target: jax.Array) -> metrics.Weighted:
        return losses.softmax_cross_entropy(logits, target, smoothing=smoothing, ignore=PADDING)

    def cross_entropy(logits: jax.Array, target: jax.Array) -> metrics.Weighted:
        return losses.softmax_cross_entropy(logits, target, ignore=PADDING)

    def accuracy(logits: jax.Array, target: jax.Array) -> metrics.Weighted:
        return metrics.Weighted(metrics.accuracy(logits, target), target != PADDING)

    measured = {"cross_entropy": cross_entropy, "accuracy": accuracy}
    base = supervised(model, loss, rule, inputs="pair", target="target", metrics_of=measured)

    def init(key: Any, batch: Batch) -> Trained:
        return base.init(key, paired(batch))

    def step(state: Trained, batch: Batch, key: Any) -> tuple[Trained, Metrics]:
        return base.step(state, paired(batch), key)

    def evaluate(state: Trained, batch: Batch) -> Metrics:
        found = base.evaluate(state, paired(batch))
        return found | {"perplexity": metrics.Perplexity(*found["cross_entropy"])}

    def apply(state: Trained, batch: Batch, key: Any) -> jax.Array:
        variables, source = {"params": state.weights, **state.model_state}, batch["source"]

        def decode(tokens: Any, cache: Any, position: Any) -> Any:
            return model.apply(variables, tokens, cache, position, method="decode")

        cache = repeated(model.apply(variables, source, length, method="start"), beams)
        first = jnp.full(source.shape[0], START, jnp.int32)
        found = beam_search(decode, cache, first, beams=beams, length=length, end=END, alpha=alpha)
        return found.tokens[:, 0]

    return Learner(init, step, evaluate, apply, base.honours)


def paired(batch: Batch) -> Batch:
    """The batch with what the model reads: the source, and each target one place later."""
    target = batch["target"]
    before = jnp.pad(target[:, :-1], ((0, 0), (1, 0)), constant_values=START)
    segments = {name: batch[name] for name in SEGMENTS if name in batch}
    if segments:
        before = jnp.where(begins(segments["target_segment"]), START, before)
    return batch | {"pair": {"source": batch["source"], "target": before} | segments}
