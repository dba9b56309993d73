"""Losses of classifiers: cross-entropy in its forms, and the Kullback-Leibler divergence."""

from typing import overload

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
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
    class_weights: None = ...,
) -> Float[Array, "batch *rest"]: ...


@overload
def softmax_cross_entropy(
    logits: Float[Array, "batch *rest classes"],
    labels: Int[Array, "batch *rest"],
    *,
    smoothing: float = ...,
    ignore: int,
    class_weights: Float[ArrayLike, " classes"] | None = ...,
) -> Weighted: ...


@overload
def softmax_cross_entropy(
    logits: Float[Array, "batch *rest classes"],
    labels: Int[Array, "batch *rest"],
    *,
    smoothing: float = ...,
    ignore: int | None = ...,
    class_weights: Float[ArrayLike, " classes"],
) -> Weighted: ...


def softmax_cross_entropy(
    logits: Float[Array, "batch *rest classes"],
    labels: Int[Array, "batch *rest"],
    *,
    smoothing: float = 0.0,
    ignore: int | None = None,
    class_weights: Float[ArrayLike, " classes"] | None = None,
) -> Float[Array, "batch *rest"] | Weighted:
    """`-log softmax(logits)[label]`, the negative log-likelihood of the label (deck 003).

    With class weights w, smoothing s and K classes, an example of label y has the weight w_y, and
    the mean over a batch is that of PyTorch's `CrossEntropyLoss(weight, label_smoothing)`:

        Σ_i [(1 - s) w_{y_i} (-log p_i[y_i]) + s/K Σ_c w_c (-log p_i[c])] / Σ_i w_{y_i}

    Args:
        logits: one score for each class.
        labels: the number of the right class.
        smoothing: s, label smoothing (Szegedy et al., 2016). The target is `1 - s` on the label
            plus `s / classes` on every class, instead of 1 on the label.
        ignore: the label that does not count, such as that of padding tokens. It may be any
            number, also a negative one. The gradient at ignored places is exactly 0.
        class_weights: w, such as `balanced_class_weights`. Examples of a class of weight 0 do not
            count at all (in PyTorch their smoothing term does).

    Returns:
        One value for each label. With `ignore` or class weights, `Weighted`: ignored labels have
        value 0 and weight 0, the others the weight of their class, else 1. The mean is then over
        the counted labels of the whole batch, as in PyTorch.

    Raises:
        ValueError: the shapes of logits and labels, or of the class weights, do not match.
    """
    logits, labels, counted = replace_ignored(logits, labels, ignore)
    log_probs = jax.nn.log_softmax(at_least_float32(logits))
    loss = negative_log_likelihood(log_probs, labels)
    if class_weights is None:
        weights = counted.astype(loss.dtype)
        spread = -jnp.mean(log_probs, -1)
    else:
        of_classes = jnp.asarray(class_weights, loss.dtype)
        if of_classes.shape != logits.shape[-1:]:
            raise ValueError(f"class weights {of_classes.shape} and logits {logits.shape} differ")
        weights = jnp.where(counted, of_classes[labels], 0.0)
        # The mean multiplies by the weight of the label, which this term does not have.
        divisor = jnp.where(weights > 0, weights, 1.0)
        sums = jnp.dot(log_probs, of_classes, precision=jax.lax.Precision.HIGHEST)
        spread = -sums / (len(of_classes) * divisor)
    if smoothing:
        loss = (1 - smoothing) * loss + smoothing * spread
    if ignore is None and class_weights is None:
        return loss
    return Weighted(jnp.where(weights > 0, loss, 0.0), weights)


def balanced_class_weights(counts: Int[ArrayLike, " classes"]) -> np.ndarray:
    """`w_c = n / (K n_c)`: every class weighs the same in a mean over the set.

    K is the number of classes, n_c the number of examples of class c, n their sum. The weights of
    all examples add up to n, as in scikit-learn's `compute_class_weight("balanced")`. A class
    without examples gets weight 0.
    """
    counts = np.asarray(counts)
    each = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return np.where(counts > 0, each, 0.0).astype(np.float32)


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
