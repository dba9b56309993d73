"""Losses of classifiers against closed forms, SciPy and scikit-learn."""

import functools
import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.metrics
import sklearn.utils.class_weight

from dlcourse import losses

GENERATOR = np.random.default_rng(0)
LOGITS = GENERATOR.normal(size=(13, 5), scale=3).astype(np.float32)
LABELS = GENERATOR.integers(5, size=13).astype(np.int32)
TARGETS = GENERATOR.dirichlet(np.ones(5), size=13).astype(np.float32)
SCORES = GENERATOR.normal(size=13, scale=3).astype(np.float32)
BINARY = GENERATOR.integers(2, size=13).astype(np.int32)


# Compiled as one program: operation by operation each would be compiled for itself.
softmax_cross_entropy = jax.jit(
    losses.softmax_cross_entropy, static_argnames=("smoothing", "ignore")
)
sigmoid_cross_entropy = jax.jit(losses.sigmoid_cross_entropy)
soft_cross_entropy = jax.jit(losses.soft_cross_entropy)
kl_divergence = jax.jit(losses.kl_divergence)


def test_softmax_cross_entropy_is_scikit_learns_log_loss() -> None:
    loss = softmax_cross_entropy(LOGITS, LABELS)
    probabilities = scipy.special.softmax(LOGITS.astype(np.float64), axis=-1)
    expected = sklearn.metrics.log_loss(LABELS, probabilities, labels=np.arange(5))
    np.testing.assert_allclose(np.mean(np.asarray(loss)), expected, rtol=1e-6)


def test_sigmoid_cross_entropy_is_scikit_learns_log_loss() -> None:
    loss = sigmoid_cross_entropy(SCORES, BINARY)
    expected = sklearn.metrics.log_loss(BINARY, scipy.special.expit(SCORES.astype(np.float64)))
    np.testing.assert_allclose(np.mean(np.asarray(loss)), expected, rtol=1e-6)


def test_negative_log_likelihood_is_cross_entropy() -> None:
    """The decks' last two costs are one: minus the log of the likelihood that the model gives."""
    probabilities = scipy.special.softmax(LOGITS.astype(np.float64), axis=-1)
    likelihood = np.prod(probabilities[np.arange(13), LABELS])
    log_probs = np.log(probabilities).astype(np.float32)
    nll = np.asarray(jax.jit(losses.negative_log_likelihood)(log_probs, LABELS))
    np.testing.assert_allclose(np.sum(nll), -np.log(likelihood), rtol=1e-5)
    cross_entropy = softmax_cross_entropy(LOGITS, LABELS)
    np.testing.assert_allclose(nll, cross_entropy, rtol=1e-4, atol=1e-6)

    a = scipy.special.expit(SCORES.astype(np.float64))
    likelihood = np.prod(a**BINARY * (1 - a) ** (1 - BINARY))  # deck 001's L(β)
    cross_entropy = np.asarray(sigmoid_cross_entropy(SCORES, BINARY))
    np.testing.assert_allclose(np.sum(cross_entropy), -np.log(likelihood), rtol=1e-5)


def test_two_classes_by_softmax_are_one_by_sigmoid() -> None:
    pair = np.stack([np.zeros_like(SCORES), SCORES], axis=-1)
    np.testing.assert_allclose(
        softmax_cross_entropy(pair, BINARY),
        sigmoid_cross_entropy(SCORES, BINARY),
        rtol=1e-5,
        atol=1e-6,
    )


def test_soft_targets_contain_hard_ones_and_smoothing() -> None:
    hard = np.eye(5, dtype=np.float32)[LABELS]
    np.testing.assert_allclose(
        soft_cross_entropy(LOGITS, hard), softmax_cross_entropy(LOGITS, LABELS), rtol=1e-6
    )
    np.testing.assert_allclose(
        soft_cross_entropy(LOGITS, 0.8 * hard + 0.2 / 5),
        softmax_cross_entropy(LOGITS, LABELS, smoothing=0.2),
        rtol=1e-5,
    )


def test_a_class_that_is_ruled_out_costs_nothing() -> None:
    logits, targets = np.float32([[0.0, 0.0, -np.inf]]), np.float32([[0.5, 0.5, 0.0]])
    cost = jax.value_and_grad(lambda z: soft_cross_entropy(z, targets).sum())
    loss, gradient = jax.jit(cost)(logits)
    np.testing.assert_allclose(loss, np.log(2), rtol=1e-6)
    np.testing.assert_allclose(gradient, [[0.0, 0.0, 0.0]], atol=1e-7)


def test_mixup_is_the_mixture_of_two_losses() -> None:
    one, other = np.eye(5, dtype=np.float32)[LABELS], np.eye(5, dtype=np.float32)[LABELS[::-1]]
    mixture = [softmax_cross_entropy(LOGITS, labels) for labels in (LABELS, LABELS[::-1])]
    np.testing.assert_allclose(
        soft_cross_entropy(LOGITS, 0.3 * one + 0.7 * other),
        np.average(mixture, axis=0, weights=[0.3, 0.7]),
        rtol=1e-5,
    )


def test_kl_is_scipys_and_cross_entropy_less_entropy() -> None:
    log_q = scipy.special.log_softmax(LOGITS, axis=-1)
    kl = kl_divergence(np.log(TARGETS), log_q)
    expected = scipy.stats.entropy(TARGETS, np.exp(log_q), axis=-1)
    np.testing.assert_allclose(kl, expected, rtol=1e-4)
    cross_entropy = np.asarray(soft_cross_entropy(LOGITS, TARGETS))
    np.testing.assert_allclose(kl, cross_entropy - scipy.stats.entropy(TARGETS, axis=-1), rtol=1e-4)
    np.testing.assert_allclose(kl_divergence(log_q, log_q), 0.0, atol=1e-7)


def test_kl_where_a_probability_is_zero() -> None:
    with np.errstate(divide="ignore"):
        log_p = np.log(np.float32([[0.5, 0.5, 0], [0.5, 0.25, 0.25]]))
        log_q = np.log(np.float32([[0.25, 0.5, 0.25], [0.5, 0.5, 0]]))
    kl = kl_divergence(log_p, log_q)
    np.testing.assert_allclose(kl, [0.5 * np.log(2), np.inf], rtol=1e-6)
    gradient = jax.jit(jax.grad(lambda p: kl_divergence(p, log_q[:1]).sum()))(log_p[:1])
    chex.assert_tree_all_finite(gradient)


def test_half_precision_is_raised_and_double_is_kept() -> None:
    half = LOGITS.astype(jnp.bfloat16)
    chex.assert_trees_all_equal(
        softmax_cross_entropy(half, LABELS),
        softmax_cross_entropy(half.astype(np.float32), LABELS),
    )
    with jax.enable_x64(True):
        logits = LOGITS.astype(np.float64)
        loss = softmax_cross_entropy(logits, LABELS)
        expected = -scipy.special.log_softmax(logits, axis=-1)[np.arange(13), LABELS]
        np.testing.assert_allclose(loss, expected, rtol=1e-14)


# Labels that do not count

IGNORE = -100
TOKENS = np.where(GENERATOR.random((3, 7)) < 0.4, IGNORE, GENERATOR.integers(5, size=(3, 7)))
TOKENS[2] = IGNORE  # a sequence of padding alone
TOKEN_LOGITS = GENERATOR.normal(size=(3, 7, 5)).astype(np.float32)


def test_ignored_labels_weigh_nothing_and_the_others_one() -> None:
    logits, labels = TOKEN_LOGITS, TOKENS.astype(np.int32)
    smoothed = functools.partial(losses.softmax_cross_entropy, smoothing=0.1)
    ignoring = jax.jit(functools.partial(smoothed, ignore=IGNORE))
    values, weights = map(np.asarray, ignoring(logits, labels))
    counted = TOKENS != IGNORE
    np.testing.assert_array_equal(weights, counted)
    np.testing.assert_array_equal(values[~counted], 0.0)
    alone = jax.jit(smoothed)(logits[counted], labels[counted])
    np.testing.assert_allclose(values[counted], alone, rtol=1e-6)


IGNORED = (-100, -1, 0, 4, 5, 255)


def tokens(ignore: int) -> np.ndarray:
    return np.where(TOKENS == IGNORE, ignore, TOKENS).astype(np.int32)


@functools.cache
def costs_and_gradients() -> dict:
    """By ignored number, compiled as one program. The logits of ignored places are not finite."""

    def cost(logits: jax.Array, ignore: int) -> jax.Array:
        labels = jnp.asarray(tokens(ignore))
        values, weights = losses.softmax_cross_entropy(logits, labels, ignore=ignore)
        return jnp.sum(values) / jnp.sum(weights)

    @jax.jit
    def of_each(logits: dict) -> dict:
        return {i: jax.value_and_grad(functools.partial(cost, ignore=i))(logits[i]) for i in logits}

    unfit = np.float32([[[np.nan, np.inf, 0, 1, -np.inf]]])
    counted = {i: tokens(i)[..., None] != i for i in IGNORED}
    return of_each({i: np.where(counted[i], TOKEN_LOGITS, unfit) for i in IGNORED})


@pytest.mark.parametrize("ignore", IGNORED)
def test_any_number_can_be_ignored_and_gets_no_gradient(ignore: int) -> None:
    """Also where the logits of ignored places are not finite."""
    labels = tokens(ignore)
    counted = labels != ignore
    value, gradient = map(np.asarray, costs_and_gradients()[ignore])
    np.testing.assert_array_equal(gradient[~counted], 0.0)
    probabilities = scipy.special.softmax(TOKEN_LOGITS[counted].astype(np.float64), axis=-1)
    targets = np.eye(5)[labels[counted]]
    np.testing.assert_allclose(value, sklearn.metrics.log_loss(targets, probabilities), rtol=1e-5)
    # Of the mean over n counted labels the gradient is (softmax - target) / n.
    expected = (probabilities - targets) / counted.sum()
    np.testing.assert_allclose(gradient[counted], expected, rtol=1e-4, atol=1e-7)


def test_without_ignore_the_loss_is_a_plain_array() -> None:
    loss = softmax_cross_entropy(LOGITS, LABELS)
    assert isinstance(loss, jax.Array)
    chex.assert_shape(loss, (13,))


def test_labels_of_another_shape_are_refused() -> None:
    """Outside of jaxtyping's checks, labels of one example would be compared with all."""
    with pytest.raises(ValueError, match=r"logits \(13, 5\) and labels \(1,\) do not match"):
        inspect.unwrap(losses.softmax_cross_entropy)(jnp.asarray(LOGITS), jnp.asarray(LABELS[:1]))


# Classes of unequal weight

CLASS_WEIGHTS = np.float32([0.5, 2.0, 1.0, 0.25, 4.0])


def pytorchs_mean(logits: np.ndarray, labels: np.ndarray, smoothing: float, ignore: int) -> float:
    """`CrossEntropyLoss(weight, label_smoothing=smoothing, ignore_index=ignore)`, in float64.

    As PyTorch computes it: both terms are divided by the weights of the labels that count.
    """
    log_probs = scipy.special.log_softmax(logits.astype(np.float64), axis=-1)
    hard = smooth = total = 0.0
    for row, label in zip(log_probs, labels, strict=True):
        if label != ignore:
            hard -= CLASS_WEIGHTS[label] * row[label]
            smooth -= (CLASS_WEIGHTS * row).sum()
            total += CLASS_WEIGHTS[label]
    return ((1 - smoothing) * hard + smoothing / len(CLASS_WEIGHTS) * smooth) / total


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("ignore", [2, -100])
def test_class_weights_are_those_of_pytorch(smoothing: float, ignore: int) -> None:
    labels = np.where(LABELS == 2, ignore, LABELS)  # 2: a class; -100: none
    loss = functools.partial(softmax_cross_entropy, smoothing=smoothing, ignore=ignore)
    values, weights = loss(LOGITS, labels, class_weights=CLASS_WEIGHTS)
    found = np.average(values, weights=weights)
    np.testing.assert_allclose(found, pytorchs_mean(LOGITS, labels, smoothing, ignore), rtol=1e-5)
    np.testing.assert_array_equal(weights, np.where(LABELS == 2, 0, CLASS_WEIGHTS[LABELS]))


def test_equal_class_weights_are_none_and_a_class_of_weight_zero_is_ignored() -> None:
    plain = softmax_cross_entropy(LOGITS, LABELS, smoothing=0.1)
    ones = softmax_cross_entropy(LOGITS, LABELS, smoothing=0.1, class_weights=np.ones(5, "f4"))
    np.testing.assert_allclose(ones.values, plain, rtol=1e-6)
    without = np.where(np.arange(5) == 2, 0.0, CLASS_WEIGHTS).astype(np.float32)
    values, weights = softmax_cross_entropy(LOGITS, LABELS, class_weights=without)
    ignoring = softmax_cross_entropy(LOGITS, LABELS, class_weights=CLASS_WEIGHTS, ignore=2)
    chex.assert_trees_all_equal((values, weights), tuple(ignoring))
    assert 0 < np.sum(weights == 0) < 13


def test_class_weights_of_another_number_of_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"class weights \(4,\) and logits \(13, 5\) differ"):
        inspect.unwrap(losses.softmax_cross_entropy)(
            jnp.asarray(LOGITS), jnp.asarray(LABELS), class_weights=np.ones(4, np.float32)
        )


def test_balanced_weights_are_scikit_learns() -> None:
    counts = np.bincount(LABELS, minlength=5)
    assert len({*counts}) > 2
    expected = sklearn.utils.class_weight.compute_class_weight(
        "balanced", classes=np.arange(5), y=LABELS
    )
    found = losses.balanced_class_weights(counts)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(found @ counts, 13, rtol=1e-6)
    np.testing.assert_allclose(
        losses.balanced_class_weights(np.array([3, 0, 1])), [4 / 9, 0, 4 / 3]
    )
