"""Supervised learning: its step, and its step under every option of a policy."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data, learners, losses, metrics, models, optim
from dlcourse.learner import Policy, Rule


@pytest.fixture(scope="module")
def batch():
    return jax.tree.map(jnp.asarray, data.images("digits").batch(0, 24, seed=0))


def classifier(
    model=models.MLP((13, 10)),  # noqa: B008
    policy=Policy(),
    loss=losses.softmax_cross_entropy,
    **options,
):
    return learners.supervised(model, loss, Rule(optim.sgd(0.1), policy), **options)


def one_step(learner, batch, key):
    state = jax.jit(learner.init)(key, batch)
    return state, *jax.jit(learner.step)(state, batch, key)


def test_a_step_descends_the_gradient(batch, key):
    model = models.MLP((13, 10))
    before, after, measured = one_step(classifier(model), batch, key)

    def cost(params):
        logits = model.apply({"params": params}, batch["image"])
        return losses.softmax_cross_entropy(logits, batch["label"]).mean()

    loss, gradient = jax.value_and_grad(cost)(before.params)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, before.params, gradient)
    chex.assert_trees_all_close(after.params, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(measured["loss"].value, loss, rtol=1e-6)
    assert isinstance(measured["loss"], metrics.Loss)
    assert not isinstance(measured["accuracy"], metrics.Loss)


@pytest.mark.parametrize("k", [2, 3, 24])
def test_accumulated_gradients_are_those_of_the_whole_batch(k, batch, key):
    _, whole, expected = one_step(classifier(), batch, key)
    _, accumulated, measured = one_step(classifier(policy=Policy(accumulate=k)), batch, key)
    chex.assert_trees_all_close(accumulated.params, whole.params, rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(measured, expected, rtol=1e-5)


def weighed(of_example):
    """The cross-entropy of labelled examples, each with the weight of its label."""

    def loss(logits, labels):
        return metrics.Weighted(losses.softmax_cross_entropy(logits, labels), of_example[labels])

    return loss


# A weight for each label: masked out, counted in part, counted twice.
WEIGHTS = jnp.array([0.0, 0.25, 1.0, 2.0, 0.0, 1.0, 0.5, 3.0, 0.0, 1.0])


@pytest.mark.parametrize("k", [2, 3, 8])
def test_micro_batches_of_unequal_weight_give_the_gradient_of_the_whole_batch(k, batch, key):
    loss = weighed(WEIGHTS)
    before, whole, expected = one_step(classifier(loss=loss), batch, key)
    _, accumulated, measured = one_step(
        classifier(loss=loss, policy=Policy(accumulate=k)), batch, key
    )
    weights = np.asarray(WEIGHTS[batch["label"]]).reshape(24 // k, k).sum(0)
    assert len(set(weights)) > 1  # the micro-batches do differ
    chex.assert_trees_all_close(accumulated.params, whole.params, rtol=0, atol=1e-6)
    chex.assert_trees_all_close(measured, expected, rtol=1e-6)

    def cost(params):
        logits = models.MLP((13, 10)).apply({"params": params}, batch["image"])
        weight = WEIGHTS[batch["label"]]
        return (losses.softmax_cross_entropy(logits, batch["label"]) * weight).sum() / weight.sum()

    value, gradient = jax.value_and_grad(cost)(before.params)
    by_hand = jax.tree.map(lambda p, g: p - 0.1 * g, before.params, gradient)
    chex.assert_trees_all_close(accumulated.params, by_hand, rtol=0, atol=1e-6)
    np.testing.assert_allclose(measured["loss"].value, value, rtol=1e-6)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_masked_tokens_and_ignored_pixels_do_not_move_the_weights(accumulate, key):
    """Values with axes of their own: the mean is over what counts in the whole batch."""
    model = models.MLP((7 * 5,))
    labels = jax.random.randint(key, (12, 7), 0, 5)
    # From no position that counts to all seven, so that micro-batches weigh differently.
    counts = jnp.arange(7)[None, :] < (jnp.arange(12) % 8)[:, None]

    def loss(outputs, targets):
        values = losses.softmax_cross_entropy(
            outputs.reshape(-1, 5), targets["token"].reshape(-1)
        ).reshape(-1, 7)
        return metrics.Weighted(values, targets["counts"])

    def after(tokens):
        learner = classifier(model, Policy(accumulate=accumulate), loss, metrics_of={})
        batch = {
            "image": jax.random.normal(key, (12, 3)),
            "label": {"token": tokens, "counts": counts},
        }
        return one_step(learner, batch, key)

    _, state, measured = after(labels)
    other = jnp.where(counts, labels, (labels + 1) % 5)
    _, same, same_measured = after(other)
    chex.assert_trees_all_equal(state, same)
    chex.assert_trees_all_equal(measured, same_measured)
    assert measured["loss"].weight == counts.sum()


@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_batch_in_which_nothing_counts_changes_nothing(accumulate, batch, key):
    """Also where the values that do not count are not finite."""

    def loss(logits, labels):
        values = losses.softmax_cross_entropy(logits, labels)
        return metrics.Weighted(values, jnp.zeros(labels.shape))

    learner = classifier(policy=Policy(accumulate=accumulate), loss=loss)
    before, after, measured = one_step(learner, batch, key)
    chex.assert_trees_all_equal(after.params, before.params)
    assert measured["loss"].weight == 0
    assert np.isnan(measured["loss"].value)  # a mean over nothing
    assert np.isfinite(measured["accuracy"].value)


def test_batch_norm_moves_its_averages_once_a_micro_batch(batch, key):
    """What differs under accumulation: each micro-batch is normalised by itself."""
    model = models.CNN(features=(3,))
    before, whole, _ = one_step(classifier(model), batch, key)
    _, accumulated, _ = one_step(classifier(model, Policy(accumulate=2)), batch, key)

    # By hand: two half batches (every second example), one after the other.
    state = before.model_state
    for half in (batch["image"][0::2], batch["image"][1::2]):
        _, state = model.apply(
            {"params": before.params, **state}, half, train=True, mutable=["batch_stats"]
        )
    chex.assert_trees_all_close(accumulated.model_state, state, rtol=1e-5, atol=1e-6)
    means = [s.model_state["batch_stats"]["BatchNorm_0"]["mean"] for s in (whole, accumulated)]
    assert not np.allclose(means[0], means[1], rtol=1e-3)


def test_evaluation_uses_the_averaged_weights(batch, key):
    learner = classifier(policy=Policy(ema=0.7))
    before, after, _ = one_step(learner, batch, key)
    expected = jax.tree.map(lambda a, p: 0.1 * a + 0.9 * p, before.params, after.params)
    chex.assert_trees_all_close(after.average, expected, rtol=1e-6)
    masked = batch | {"mask": jnp.ones(24)}
    plain = classifier()
    seen = learner.evaluate(after, masked)
    averaged = after.replace(params=expected, average=None)
    chex.assert_trees_all_close(seen, plain.evaluate(averaged, masked))
    np.testing.assert_allclose(
        learner.apply(after, batch, key), plain.apply(averaged, batch, key), rtol=1e-6
    )
    last = plain.evaluate(after.replace(average=None), masked)
    assert not np.allclose(seen["loss"].value, last["loss"].value)


def test_bfloat16_computes_in_low_precision_and_keeps_float32_weights(batch, key):
    model = models.MLP((13, 10))
    learner = classifier(model, Policy(precision="bfloat16"))
    before, after, measured = one_step(learner, batch, key)
    chex.assert_trees_all_equal_dtypes(before.params, after.params)
    assert {leaf.dtype for leaf in jax.tree.leaves(after.params)} == {jnp.dtype("float32")}
    masked = batch | {"mask": jnp.ones(24)}
    for program in (
        jax.make_jaxpr(learner.step)(before, batch, key),
        jax.make_jaxpr(learner.evaluate)(before, masked),
        jax.make_jaxpr(learner.apply)(before, batch, key),
    ):
        products = [line for line in str(program).splitlines() if "dot_general" in line]
        assert products
        assert all("bf16" in line for line in products)
    _, expected, exact = one_step(classifier(model), batch, key)
    chex.assert_trees_all_close(after.params, expected.params, atol=2e-3)
    np.testing.assert_allclose(measured["loss"].value, exact["loss"].value, rtol=1e-2)


def test_apply_is_the_model_under_the_policy(batch, key):
    """In bfloat16 and with averaged weights, against a forward pass written here."""
    model = models.MLP((13, 10))
    learner = classifier(model, Policy(precision="bfloat16", ema=0.7))
    _, after, _ = one_step(learner, batch, key)
    low = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), after.average)
    expected = model.apply({"params": low}, batch["image"].astype(jnp.bfloat16))
    found = learner.apply(after, batch, key)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, expected.astype(jnp.float32))
    exact = model.apply({"params": after.params}, batch["image"])
    assert np.abs(found - exact).max() > 1e-3


def test_a_regularizer_joins_the_training_loss_and_the_gradient(batch, key):
    penalised = classifier(regularizer=lambda params: 0.5 * losses.l2(params))
    before, after, measured = one_step(penalised, batch, key)
    _, plain, unpenalised = one_step(classifier(), batch, key)
    penalty = 0.5 * losses.l2(before.params)
    np.testing.assert_allclose(
        measured["loss"].value, unpenalised["loss"].value + penalty, rtol=1e-5
    )
    kernel = before.params["Dense_0"]["kernel"]
    np.testing.assert_allclose(
        after.params["Dense_0"]["kernel"],
        plain.params["Dense_0"]["kernel"] - 0.1 * 0.5 * kernel,
        rtol=1e-4,
        atol=1e-6,
    )
