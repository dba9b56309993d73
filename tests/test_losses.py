"""Losses against closed forms, SciPy and scikit-learn, also where logits are extreme."""

import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial.distance
import scipy.special
import scipy.stats
import sklearn.metrics

from dlcourse import losses

GENERATOR = np.random.default_rng(0)
LOGITS = GENERATOR.normal(size=(13, 5), scale=3).astype(np.float32)
LABELS = GENERATOR.integers(5, size=13).astype(np.int32)
TARGETS = GENERATOR.dirichlet(np.ones(5), size=13).astype(np.float32)
SCORES = GENERATOR.normal(size=13, scale=3).astype(np.float32)
BINARY = GENERATOR.integers(2, size=13).astype(np.int32)

EXTREME = np.array([-1e30, -1e4, -90.0, 0.0, 90.0, 1e4, 1e30], np.float32)


def as_jax(*arrays: np.ndarray) -> list[jax.Array]:
    return [jnp.asarray(array) for array in arrays]


def test_softmax_cross_entropy_is_scikit_learns_log_loss() -> None:
    loss = losses.softmax_cross_entropy(*as_jax(LOGITS, LABELS))
    probabilities = scipy.special.softmax(LOGITS.astype(np.float64), axis=-1)
    expected = sklearn.metrics.log_loss(LABELS, probabilities, labels=np.arange(5))
    np.testing.assert_allclose(jnp.mean(loss), expected, rtol=1e-6)


def test_sigmoid_cross_entropy_is_scikit_learns_log_loss() -> None:
    loss = losses.sigmoid_cross_entropy(*as_jax(SCORES, BINARY))
    expected = sklearn.metrics.log_loss(BINARY, scipy.special.expit(SCORES.astype(np.float64)))
    np.testing.assert_allclose(jnp.mean(loss), expected, rtol=1e-6)


def test_negative_log_likelihood_is_cross_entropy() -> None:
    """The decks' last two costs are one: minus the log of the likelihood that the model gives."""
    probabilities = scipy.special.softmax(LOGITS.astype(np.float64), axis=-1)
    likelihood = np.prod(probabilities[np.arange(13), LABELS])
    log_probs = jnp.log(jnp.asarray(probabilities))
    nll = losses.negative_log_likelihood(log_probs, jnp.asarray(LABELS))
    np.testing.assert_allclose(jnp.sum(nll), -np.log(likelihood), rtol=1e-5)
    cross_entropy = losses.softmax_cross_entropy(*as_jax(LOGITS, LABELS))
    np.testing.assert_allclose(nll, cross_entropy, rtol=1e-4, atol=1e-6)

    a = scipy.special.expit(SCORES.astype(np.float64))
    likelihood = np.prod(a**BINARY * (1 - a) ** (1 - BINARY))  # deck 001's L(β)
    cross_entropy = losses.sigmoid_cross_entropy(*as_jax(SCORES, BINARY))
    np.testing.assert_allclose(jnp.sum(cross_entropy), -np.log(likelihood), rtol=1e-5)


def test_two_classes_by_softmax_are_one_by_sigmoid() -> None:
    scores, labels = as_jax(SCORES, BINARY)
    pair = jnp.stack([jnp.zeros_like(scores), scores], axis=-1)
    np.testing.assert_allclose(
        losses.softmax_cross_entropy(pair, labels),
        losses.sigmoid_cross_entropy(scores, labels),
        rtol=1e-5,
        atol=1e-6,
    )


def test_soft_targets_contain_hard_ones_and_smoothing() -> None:
    logits, labels = as_jax(LOGITS, LABELS)
    hard = np.eye(5, dtype=np.float32)[LABELS]
    np.testing.assert_allclose(
        losses.soft_cross_entropy(logits, jnp.asarray(hard)),
        losses.softmax_cross_entropy(logits, labels),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        losses.soft_cross_entropy(logits, jnp.asarray(0.8 * hard + 0.2 / 5)),
        losses.softmax_cross_entropy(logits, labels, smoothing=0.2),
        rtol=1e-5,
    )


def test_a_class_that_is_ruled_out_costs_nothing() -> None:
    logits = jnp.array([[0.0, 0.0, -jnp.inf]])
    targets = jnp.array([[0.5, 0.5, 0.0]])
    loss, gradient = jax.value_and_grad(lambda z: losses.soft_cross_entropy(z, targets).sum())(
        logits
    )
    np.testing.assert_allclose(loss, np.log(2), rtol=1e-6)
    np.testing.assert_allclose(gradient, [[0.0, 0.0, 0.0]], atol=1e-7)


def test_mixup_is_the_mixture_of_two_losses() -> None:
    logits, labels = as_jax(LOGITS, LABELS)
    one, other = np.eye(5, dtype=np.float32)[LABELS], np.eye(5, dtype=np.float32)[LABELS[::-1]]
    np.testing.assert_allclose(
        losses.soft_cross_entropy(logits, jnp.asarray(0.3 * one + 0.7 * other)),
        0.3 * losses.softmax_cross_entropy(logits, labels)
        + 0.7 * losses.softmax_cross_entropy(logits, labels[::-1]),
        rtol=1e-5,
    )


def test_kl_is_scipys_and_cross_entropy_less_entropy() -> None:
    log_q = jax.nn.log_softmax(jnp.asarray(LOGITS))
    kl = losses.kl_divergence(jnp.log(jnp.asarray(TARGETS)), log_q)
    expected = scipy.stats.entropy(TARGETS, np.exp(log_q), axis=-1)
    np.testing.assert_allclose(kl, expected, rtol=1e-4)
    cross_entropy = losses.soft_cross_entropy(*as_jax(LOGITS, TARGETS))
    np.testing.assert_allclose(kl, cross_entropy - scipy.stats.entropy(TARGETS, axis=-1), rtol=1e-4)
    np.testing.assert_allclose(losses.kl_divergence(log_q, log_q), 0.0, atol=1e-7)


def test_kl_where_a_probability_is_zero() -> None:
    log_p = jnp.log(jnp.array([[0.5, 0.5, 0.0], [0.5, 0.25, 0.25]]))
    log_q = jnp.log(jnp.array([[0.25, 0.5, 0.25], [0.5, 0.5, 0.0]]))
    np.testing.assert_allclose(
        losses.kl_divergence(log_p, log_q), [0.5 * np.log(2), np.inf], rtol=1e-6
    )
    gradient = jax.grad(lambda p: losses.kl_divergence(p, log_q[:1]).sum())(log_p[:1])
    chex.assert_tree_all_finite(gradient)


def test_huber_is_scipys() -> None:
    errors = np.linspace(-4, 4, 23).astype(np.float32)
    predictions = jnp.asarray(errors) + 2.0
    for delta in (0.5, 1.0, 3.0):
        loss = losses.huber(predictions, jnp.full(23, 2.0), delta)
        np.testing.assert_allclose(loss, scipy.special.huber(delta, errors), rtol=1e-5, atol=1e-6)
    slopes = jax.grad(lambda p: losses.huber(p, jnp.zeros(23), 1.5).sum())(jnp.asarray(errors))
    np.testing.assert_allclose(slopes, np.clip(errors, -1.5, 1.5), rtol=1e-5, atol=1e-6)


def test_least_squares_has_the_normal_equations_for_its_minimum() -> None:
    x = GENERATOR.normal(size=(13, 3)).astype(np.float32)
    weights, *_ = np.linalg.lstsq(x, SCORES)

    def cost(weights: jax.Array) -> jax.Array:
        return jnp.sum(losses.squared_error(x @ weights, jnp.asarray(SCORES)))

    np.testing.assert_allclose(jax.grad(cost)(jnp.asarray(weights)), 0.0, atol=1e-4)
    np.testing.assert_allclose(cost(jnp.zeros(3)), np.sum(SCORES**2), rtol=1e-5)


@pytest.mark.parametrize("loss", [losses.squared_error, losses.huber])
def test_a_column_is_not_compared_with_a_row(loss) -> None:
    """Outside of jaxtyping's checks, in a user's program, it would broadcast to every pair."""
    with pytest.raises(ValueError, match=r"\(7, 1\) and targets \(7,\) differ"):
        inspect.unwrap(loss)(jnp.ones((7, 1)), jnp.ones(7))


# Generative adversarial networks


def test_gan_losses_are_the_decks() -> None:
    real, fake = as_jax(SCORES, LOGITS[:, 0])
    d_real, d_fake = scipy.special.expit(np.asarray(real)), scipy.special.expit(np.asarray(fake))
    np.testing.assert_allclose(
        losses.gan_discriminator(real, fake), -np.log(d_real) - np.log(1 - d_fake), rtol=1e-4
    )
    np.testing.assert_allclose(losses.gan_generator_minimax(fake), np.log(1 - d_fake), rtol=1e-4)
    np.testing.assert_allclose(
        losses.gan_generator_non_saturating(fake), -np.log(d_fake), rtol=1e-4
    )


def test_an_undecided_discriminator_is_at_log_four() -> None:
    np.testing.assert_allclose(
        losses.gan_discriminator(jnp.zeros(3), jnp.zeros(3)), np.log(4), rtol=1e-6
    )


def test_the_best_discriminator_is_the_ratio_of_densities() -> None:
    """Goodfellow's proposition 1: D* = p / (p + q), where the loss is log 4 - 2 JS(p, q)."""
    p, q = as_jax(*GENERATOR.dirichlet(np.ones(7), size=2).astype(np.float32))
    sure = jnp.full(7, jnp.inf)  # of the other half, which then costs nothing

    def cost(logits: jax.Array) -> jax.Array:
        on_real = losses.gan_discriminator(logits, -sure)
        on_fake = losses.gan_discriminator(sure, logits)
        return jnp.sum(p * on_real + q * on_fake)

    best = jnp.log(p / q)  # the logit of p / (p + q)
    np.testing.assert_allclose(jax.grad(cost)(best), 0.0, atol=1e-6)
    shannon = scipy.spatial.distance.jensenshannon(p, q) ** 2
    np.testing.assert_allclose(cost(best), np.log(4) - 2 * shannon, rtol=1e-5)


def test_only_the_minimax_generator_saturates() -> None:
    sure_of_the_fake = jnp.array([-20.0])
    minimax = jax.grad(lambda z: losses.gan_generator_minimax(z).sum())(sure_of_the_fake)
    non_saturating = jax.grad(lambda z: losses.gan_generator_non_saturating(z).sum())
    np.testing.assert_allclose(minimax, -scipy.special.expit(-20.0), rtol=1e-5)
    np.testing.assert_allclose(non_saturating(sure_of_the_fake), -1.0, rtol=1e-5)


# Extreme logits


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: losses.sigmoid_cross_entropy(z, jnp.zeros(7)),
        lambda z: losses.sigmoid_cross_entropy(z, jnp.ones(7)),
        lambda z: losses.softmax_cross_entropy(
            jnp.stack([z, -z, 0 * z], axis=-1), jnp.zeros(7, jnp.int32), smoothing=0.1
        ),
        lambda z: losses.soft_cross_entropy(
            jnp.stack([z, -z, 0 * z], axis=-1), jnp.full((7, 3), 1 / 3)
        ),
        lambda z: losses.gan_discriminator(z, z),
        losses.gan_generator_minimax,
        losses.gan_generator_non_saturating,
        lambda z: losses.huber(z, jnp.zeros(7)),
    ],
)
def test_extreme_logits_stay_finite(loss) -> None:
    value, gradient = jax.value_and_grad(lambda z: jnp.sum(loss(z)))(jnp.asarray(EXTREME))
    chex.assert_tree_all_finite((value, gradient))


def test_sure_and_right_costs_nothing_sure_and_wrong_costs_the_logit() -> None:
    logits = jnp.array([1e30, -1e30, 1e30, 20.0])
    loss = losses.sigmoid_cross_entropy(logits, jnp.array([1, 0, 0, 1]))
    np.testing.assert_allclose(loss, [0.0, 0.0, 1e30, np.log1p(np.exp(-20.0))], rtol=1e-6)


def test_half_precision_is_raised_and_double_is_kept() -> None:
    half = jnp.asarray(LOGITS, jnp.bfloat16)
    labels = jnp.asarray(LABELS)
    chex.assert_trees_all_equal(
        losses.softmax_cross_entropy(half, labels),
        losses.softmax_cross_entropy(half.astype(jnp.float32), labels),
    )
    with jax.enable_x64(True):
        logits = jnp.asarray(LOGITS, jnp.float64)
        loss = losses.softmax_cross_entropy(logits, labels)
        expected = -scipy.special.log_softmax(np.asarray(logits), axis=-1)[np.arange(13), LABELS]
        np.testing.assert_allclose(loss, expected, rtol=1e-14)


# Regularizers


def test_the_decks_penalties_and_their_gradients() -> None:
    params = {
        "Dense_0": {"kernel": jnp.asarray(LOGITS), "bias": jnp.ones(5)},
        "Dense_1": {"kernel": jnp.asarray(TARGETS), "bias": jnp.ones(5)},
    }
    weight, examples = 0.7, 13  # the deck's λ and m
    squares = np.sum(LOGITS.astype(np.float64) ** 2) + np.sum(TARGETS.astype(np.float64) ** 2)
    np.testing.assert_allclose(
        weight / examples * losses.l2(params), weight / (2 * examples) * squares, rtol=1e-6
    )
    sizes = np.sum(np.abs(LOGITS.astype(np.float64))) + np.sum(TARGETS)
    np.testing.assert_allclose(losses.l1(params), sizes, rtol=1e-6)

    ridge = jax.grad(lambda params: weight / examples * losses.l2(params))(params)
    lasso = jax.grad(lambda params: weight / examples * losses.l1(params))(params)
    for layer in params:
        kernel = params[layer]["kernel"]
        np.testing.assert_allclose(ridge[layer]["kernel"], weight / examples * kernel, rtol=1e-5)
        signs = weight / examples * np.sign(kernel)
        np.testing.assert_allclose(lasso[layer]["kernel"], signs, rtol=1e-5)
        for penalty in (ridge, lasso):
            np.testing.assert_array_equal(penalty[layer]["bias"], 0.0)


def test_a_penalty_by_a_rule_of_ones_own() -> None:
    params = {"w": jnp.array([3.0, -4.0]), "b": jnp.array([7.0])}
    assert losses.l2(params) == 0.0  # nothing here is called a kernel
    assert losses.l2(params, lambda params: {"w": True, "b": False}) == 12.5
    assert losses.l1(params, lambda params: {"w": True, "b": False}) == 7.0
