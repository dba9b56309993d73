"""Losses of classifiers: cross-entropy in its forms, and the Kullback-Leibler divergence."""

from typing import overload

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from dlcourse.losses.arguments import at_least_float32, check_same_shape, replace_ignored
from dlcourse.metrics import Weighted


@overload
def softmax_cross_entropy(
    logits: Float[Array, "batch *rest classes"],
    labels: Int[Array, "batch *rest"],
    *,
    smoothing: float = ...,
    ignore: None = ...,
) -> Float[Array, "batch *rest"]: ...


@overload
def softmax_cross_entropy(
    logits: Float[Array, "batch *rest classes"],
    labels: Int[Array, "batch *rest"],
    *,
    smoothing: float = ...,
    ignore: int,
) -> Weighted: ...


def softmax_cross_entropy(
    logits: Float[Array, "batch *rest classes"],
    labels: Int[Array, "batch *rest"],
    *,
    smoothing: float = 0.0,
    ignore: int | None = None,
) -> Float[Array, "batch *rest"] | Weighted:
    """`-log softmax(logits)[label]`, the negative log-likelihood of the label (deck 003).

    Args:
        logits: one score for each class.
        labels: the number of the right class.
        smoothing: s, label smoothing (Szegedy et al., 2016). The target is `1 - s` on the label
            plus `s / classes` on every class, instead of 1 on the label.
        ignore: the label that does not count, such as that of padding tokens. It may be any
            number, also a negative one. The gradient at ignored places is exactly 0.

    Returns:
        One value for each label. With `ignore`, `Weighted`: ignored labels have value 0 and
        weight 0, the others weight 1. The mean is then over the counted labels of the whole
        batch, as in PyTorch's `ignore_index`.

    Raises:
        ValueError: the shapes of logits and labels do not match.
    """
    logits, labels, counted = replace_ignored(logits, labels, ignore)
    log_probs = jax.nn.log_softmax(at_least_float32(logits))
    loss = negative_log_likelihood(log_probs, labels)
    if smoothing:
        loss = (1 - smoothing) * loss - smoothing * jnp.mean(log_probs, -1)
    if ignore is None:
        return loss
    return Weighted(jnp.where(counted, loss, 0.0), counted.astype(loss.dtype))


def soft_cross_entropy(
    logits: Float[Array, "batch *rest classes"], targets: Num[Array, "batch *rest classes"]
) -> Float[Array, "batch *rest"]:
    """`-Σ_j y_j log softmax(logits)_j`: cross-entropy for any target distribution (deck 003).

    One-hot targets give `softmax_cross_entropy`. Mixup and distillation give soft targets.
    """
    log_probs = jax.nn.log_softmax(at_least_float32(logits))
    # `where`: a class ruled out by a logit of -inf costs nothing if its target is 0.
    return -jnp.sum(jnp.where(targets == 0, 0.0, targets * log_probs), axis=-1)


def sigmoid_cross_entropy(
    logits: Float[Array, "batch *rest"], labels: Num[Array, "batch *rest"]
) -> Float[Array, "batch *rest"]:
    """`-(y log a + (1 - y) log(1 - a))` with `a = σ(logit)`: binary cross-entropy (deck 001).

    `log a` is computed from the logit rather than from a, so that large logits do not overflow.

    Args:
        logits: the log-odds of class 1.
        labels: y, 0 or 1, or a probability between them.

    Raises:
        ValueError: the shapes differ.
    """
    check_same_shape(logits, labels)
    logits = at_least_float32(logits)
    labels = labels.astype(logits.dtype)
    return -labels * jax.nn.log_sigmoid(logits) - (1 - labels) * jax.nn.log_sigmoid(-logits)


def negative_log_likelihood(
    log_probs: Float[Array, "batch *rest classes"], labels: Int[Array, "batch *rest"]
) -> Float[Array, "batch *rest"]:
    """`-log P(y)`, from log-probabilities that the model has already normalised (deck 001).

    With `log_probs = log_softmax(logits)` this is cross-entropy: the decks' two costs are equal.
    """
    return -jnp.take_along_axis(log_probs, labels[..., None], axis=-1)[..., 0]


def kl_divergence(
    log_p: Float[Array, "batch *rest classes"], log_q: Float[Array, "batch *rest classes"]
) -> Float[Array, "batch *rest"]:
    """`KL(p ‖ q) = Σ_j p_j (log p_j - log q_j)`, from log-probabilities (deck 003).

    A class with `p_j = 0` adds nothing. A class with `q_j = 0 < p_j` makes the sum infinite.
    """
    p = jnp.exp(log_p)
    return jnp.sum(p * jnp.where(p > 0, log_p - log_q, 0.0), axis=-1)
