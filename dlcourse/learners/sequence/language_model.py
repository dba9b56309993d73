"""Learning to predict the next token, and continuing a prompt."""

from typing import Any

import flax.linen as nn
import jax

from dlcourse import losses, metrics
from dlcourse.data.windows import NO_TOKEN
from dlcourse.learner import Batch, Learner, Metrics, Rule, Trained
from dlcourse.learners.supervised import supervised
from dlcourse.models import generate_within


def language_model(
    model: nn.Module, rule: Rule, *, context: int, length: int = 200, **truncation: Any
) -> Learner:
    """Minimises the mean cross-entropy of the next token, over all places that have one.

        L(θ) = -mean_j log P(next_j | tokens_0, ..., tokens_j)

    in nats a token. The perplexity is exp(L) over a whole split, the accuracy that of the most
    probable token.

    `apply` continues each `prompt` of the batch, int32 `[batch, prompt]`, by `length` tokens,
    `[batch, length]`, in float32. Without prompts it gives the logits after each of `tokens`.

    Args:
        model: `model(tokens, train=...)`, with `start` and `decode` as `models.GPT` has them.
        rule: the optimizer and the policy, `config.rule(data)`.
        context: tokens that the model may see when it continues a prompt.
        length: of a continuation.
        truncation: of the distribution to draw from; see `models.truncated`.
    """

    def loss(logits: jax.Array, following: jax.Array) -> metrics.Weighted:
        return losses.softmax_cross_entropy(logits, following, ignore=NO_TOKEN)

    def accuracy(logits: jax.Array, following: jax.Array) -> metrics.Weighted:
        return metrics.Weighted(metrics.accuracy(logits, following), following != NO_TOKEN)

    base = supervised(
        model, loss, rule, inputs="tokens", target="next", metrics_of={"accuracy": accuracy}
    )

    def evaluate(state: Trained, batch: Batch) -> Metrics:
        measured = base.evaluate(state, batch)
        return measured | {"perplexity": metrics.Perplexity(*measured["loss"])}

    def apply(state: Trained, batch: Batch, key: Any) -> jax.Array:
        if "prompt" not in batch:
            return base.apply(state, batch, key)
        variables = {"params": state.weights, **state.model_state}

        def step(tokens: Any, cache: Any, position: Any) -> Any:
            return model.apply(variables, tokens, cache, position, method="decode")

        return generate_within(
            context, step, model.start, batch["prompt"], length, key, **truncation
        )

    return base._replace(evaluate=evaluate, apply=apply)
