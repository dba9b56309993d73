"""Metrics of classifiers, by name: of each example, or of counts over a whole set."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Num, Shaped

from dlcourse.errors import UsageError
from dlcourse.metrics.counts import ClassMean, UnlessNan, confusion, places

LEVELS = 4095  # odd, so that a log-odds of 0 lies inside a level
MOST = 1000.0  # greater log-odds share the last level
TOP = 5

Name = Literal["accuracy", "balanced_accuracy", "f1", "auroc", "top_5"]


def accuracy(
    logits: Float[Array, "batch *rest classes"], labels: Num[Array, "batch *rest"]
) -> Float[Array, "batch *rest"]:
    """1 where the largest logit belongs to the label, else 0; nan where a logit is nan."""
    right = (jnp.argmax(logits, axis=-1) == labels).astype(jnp.float32)
    return jnp.where(_has_nan(logits), jnp.nan, right)


def top_5(
    logits: Float[Array, "batch *rest classes"], labels: Int[Array, "batch *rest"]
) -> Float[Array, "batch *rest"]:
    """1 where the label is among the five largest logits, else 0; nan where a logit is nan.

        value = min(max((5 - greater) / equal, 0), 1)

    where `greater` logits exceed that of the label and `equal` ones, itself included, equal it.
    Ties so count by the share of their orders that put the label among the five. A network that
    gives all classes the same logit scores 5 / classes, not 1.

    Raises:
        UsageError: there are fewer than six classes.
    """
    classes = logits.shape[-1]
    if classes <= TOP:
        raise UsageError(
            f"The metric top_5 needs at least {TOP + 1} classes; there are {classes}, and every "
            "label would be among the five. Leave it out."
        )
    known = (labels >= 0) & (labels < classes)
    own = jnp.take_along_axis(logits, jnp.where(known, labels, 0)[..., None], axis=-1)
    greater, equal = jnp.sum(logits > own, axis=-1), jnp.sum(logits == own, axis=-1)
    share = jnp.clip((TOP - greater) / jnp.maximum(equal, 1), 0.0, 1.0) * known
    return jnp.where(_has_nan(logits), jnp.nan, share)


def balanced_accuracy(
    logits: Float[Array, "batch *rest classes"],
    labels: Int[Array, "batch *rest"],
    mask: Shaped[Array, " batch"] | None = None,
) -> UnlessNan:
    """The mean over classes of recall, `n_cc / Σ_j n_cj`, with n from `confusion`.

    The mean is over the classes that have labels, as in scikit-learn's `balanced_accuracy_score`.
    """
    counts = _counts(logits, labels, mask)
    recall = ClassMean(jnp.diagonal(counts), jnp.sum(counts, axis=1)[:-1])
    return UnlessNan(recall, _nans(logits, mask))


def f1(
    logits: Float[Array, "batch *rest classes"],
    labels: Int[Array, "batch *rest"],
    mask: Shaped[Array, " batch"] | None = None,
) -> UnlessNan:
    """The mean over classes of F1, `2 n_cc / (Σ_j n_cj + Σ_i n_ic)`, with n from `confusion`.

    F1 is the harmonic mean of precision and recall. The mean is over the classes that occur among
    the labels or the predictions, as in scikit-learn's `f1_score(average="macro")`.
    """
    counts = _counts(logits, labels, mask)
    both = jnp.sum(counts, axis=1)[:-1] + jnp.sum(counts, axis=0)
    return UnlessNan(ClassMean(2 * jnp.diagonal(counts), both), _nans(logits, mask))


class AreaUnderROC(NamedTuple):
    """The area under the ROC curve of each class against the rest, from counts by level of score.

        AUROC_c = Σ_l p_l (Σ_{m < l} n_m + n_l / 2) / (Σ p Σ n)

    p and n count the positive and the negative examples of class c whose score is at level l. It
    is the share of pairs of both in which the positive one scores higher; ties count half. The
    value is the mean over the classes that have examples of both kinds.

    Attributes:
        positive: p of each class. Two of them merge by adding.
        every: p + n.
    """

    positive: Int[Array, "*members classes levels"]
    every: Int[Array, "*members classes levels"]

    @property
    def value(self) -> Float[ArrayLike, "*members"]:
        """The mean area; nan if no class has both kinds of examples."""
        positive = np.asarray(self.positive, np.float64)
        negative = np.asarray(self.every, np.float64) - positive
        below = np.cumsum(negative, axis=-1) - negative
        won = (positive * (below + negative / 2)).sum(-1)
        pairs = positive.sum(-1) * negative.sum(-1)
        areas = np.where(pairs > 0, won / np.maximum(pairs, 1), 0.0)
        return np.asarray(areas.sum(-1) / (pairs > 0).sum(-1))


def auroc(
    logits: Float[Array, "batch *rest classes"],
    labels: Int[Array, "batch *rest"],
    mask: Shaped[Array, " batch"] | None = None,
) -> UnlessNan:
    """The area under the ROC curve, one class against the rest, mean over classes.

    The score of a class is its log-odds `x = log p - log(1 - p)`, p its softmax probability. It
    ranks examples as p does, so with two classes this is the area of the binary ROC curve, and
    with more scikit-learn's `roc_auc_score(multi_class="ovr")`.

    To merge by addition, scores are counted in 4,095 levels, evenly spaced in asinh x: a level
    is 0.0037 wide at x = 0 and 0.37 % of x far from it; beyond ±1000 there is one. Scores in one
    level are ties and count half, which moves the area of a trained network by less than 0.001.
    Scores that differ by less than a level, as an untrained network may give, are not told apart.
    The counts take 33 kB a class.
    """
    classes = logits.shape[-1]
    scores = _log_odds(logits).reshape(-1, classes)
    counted = places(labels, mask).reshape(-1, 1)
    undefined = jnp.isnan(scores)
    steps = (jnp.arcsinh(scores) / np.arcsinh(MOST) + 1) / 2 * LEVELS
    # Clipped before the conversion: integers have no infinity.
    levels = jnp.clip(jnp.where(undefined, 0.0, steps), 0, LEVELS - 1).astype(jnp.int32)

    def count(which: Bool[Array, "places classes"]) -> Int[Array, "classes levels"]:
        empty = jnp.zeros((classes, LEVELS), jnp.int32)
        return empty.at[jnp.arange(classes)[None], levels].add(which.astype(jnp.int32))

    own = jax.nn.one_hot(labels.reshape(-1), classes, dtype=bool)
    area = AreaUnderROC(count(own & counted), count(jnp.broadcast_to(counted, own.shape)))
    return UnlessNan(area, jnp.sum(counted[:, 0] & jnp.any(undefined, axis=-1)))


# Of each example: means of them are measured in training and in evaluation.
PER_EXAMPLE: Mapping[Name, Any] = {"accuracy": accuracy, "top_5": top_5}
# Of counts over a set, `(logits, labels, mask) -> metric`: measured in evaluation.
OVER_SET: Mapping[Name, Any] = {
    "balanced_accuracy": balanced_accuracy,
    "f1": f1,
    "auroc": auroc,
}


def _log_odds(logits: Float[Array, "*rest classes"]) -> Float[Array, "*rest classes"]:
    """`log p - log(1 - p)` of the softmax, also where p rounds to 1."""
    logits = logits.astype(jnp.float32)
    log_p = jax.nn.log_softmax(logits)
    first = jax.nn.one_hot(jnp.argmax(logits, axis=-1), logits.shape[-1], dtype=bool)
    # 1 - p is exact enough where p <= 1/2; of the largest p it is the sum of the others.
    others = jax.nn.logsumexp(log_p, axis=-1, where=~first, keepdims=True)
    return log_p - jnp.where(first, others, jnp.log1p(-jnp.exp(jnp.where(first, -1.0, log_p))))


def _counts(
    logits: Float[Array, "batch *rest classes"],
    labels: Int[Array, "batch *rest"],
    mask: Shaped[Array, " batch"] | None,
) -> Int[Array, "rows classes"]:
    found = jnp.argmax(logits, axis=-1)
    return confusion(labels, found, logits.shape[-1], mask=mask)


def _has_nan(logits: Float[Array, "*rest classes"]) -> Bool[Array, "*rest"]:
    return jnp.any(jnp.isnan(logits), axis=-1)


def _nans(
    logits: Float[Array, "batch *rest classes"], mask: Shaped[Array, " batch"] | None
) -> Int[Array, ""]:
    """The number of places that count and have a nan logit."""
    found = _has_nan(logits)
    return jnp.sum(found & places(found, mask))
