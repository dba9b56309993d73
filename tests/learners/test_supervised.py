"""Supervised learning: its step, and its step under every option of a policy."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data, learners, losses, metrics, models, optim
from dlcourse.learner import DIAGNOSTICS, Policy, Rule

MODEL = models.MLP((13, 10))


@pytest.fixture(scope="module")
def batch():
    return jax.device_put(data.images("digits").batch(0, 24, seed=0))


def classifier(model=MODEL, policy=Policy(), loss=losses.softmax_cross_entropy, **options):
    return learners.supervised(model, loss, Rule(optim.sgd(0.1), policy), **options)


@pytest.fixture(scope="module")
def before(batch):
    """The first state of every learner of this network whose policy averages no weights."""
    return jax.jit(classifier().init)(jax.random.key(0), batch)


def one_step(learner, before, batch, key):
    return jax.jit(learner.step)(before, batch, key)


@pytest.fixture(scope="module")
def plain(before, batch):
    """The state after a step of the classifier without any option, and its metrics."""
    return one_step(classifier(), before, batch, jax.random.key(0))


@jax.jit
def descended(params, batch, weights):
    """By hand: the weighted mean of the losses, and the parameters after a step down it."""

    def cost(params):
        logits = MODEL.apply({"params": params}, batch["image"])
        values = losses.softmax_cross_entropy(logits, batch["label"])
        return (values * weights).sum() / weights.sum()

    loss, gradient = jax.value_and_grad(cost)(params)
    return loss, jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)


def test_a_step_descends_the_gradient(before, plain, batch):
    after, measured = plain
    loss, expected = descended(before.params, batch, np.ones(24, np.float32))
    chex.assert_trees_all_close(after.params, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(measured["loss"].value, loss, rtol=1e-6)
    assert isinstance(measured["loss"], metrics.Loss)
    assert not isinstance(measured["accuracy"], metrics.Loss)


@pytest.mark.parametrize("k", [2, 3, 24])
def test_accumulated_gradients_are_those_of_the_whole_batch(k, before, plain, batch, key):
    whole, expected = plain
    learner = classifier(policy=Policy(accumulate=k))
    accumulated, measured = one_step(learner, before, batch, key)
    chex.assert_trees_all_close(accumulated.params, whole.params, rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(measured, expected, rtol=1e-5)


# A weight for each label: masked out, counted in part, counted twice.
WEIGHTS = np.array([0.0, 0.25, 1.0, 2.0, 0.0, 1.0, 0.5, 3.0, 0.0, 1.0], np.float32)


def weighed(logits, labels):
    """The cross-entropy of labelled examples, each with the weight of its label."""
    return metrics.Weighted(
        losses.softmax_cross_entropy(logits, labels), jnp.asarray(WEIGHTS)[labels]
    )


@pytest.fixture(scope="module")
def weighed_as_a_whole(before, batch):
    return one_step(classifier(loss=weighed), before, batch, jax.random.key(0))


@pytest.mark.parametrize("k", [2, 3, 8])
def test_micro_batches_of_unequal_weight_give_the_gradient_of_the_whole_batch(
    k, before, weighed_as_a_whole, batch, key
):
    whole, expected = weighed_as_a_whole
    learner = classifier(loss=weighed, policy=Policy(accumulate=k))
    accumulated, measured = one_step(learner, before, batch, key)
    weights = WEIGHTS[batch["label"]]
    assert len(set(weights.reshape(24 // k, k).sum(0))) > 1  # the micro-batches do differ
    chex.assert_trees_all_close(accumulated.params, whole.params, rtol=0, atol=1e-6)
    chex.assert_trees_all_close(measured, expected, rtol=1e-6)
    value, by_hand = descended(before.params, batch, weights)
    chex.assert_trees_all_close(accumulated.params, by_hand, rtol=0, atol=1e-6)
    np.testing.assert_allclose(measured["loss"].value, value, rtol=1e-6)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_masked_tokens_and_ignored_pixels_do_not_move_the_weights(accumulate, key):
    """Values with axes of their own: the mean is over what counts in the whole batch."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(12, 3)).astype(np.float32)
    labels = rng.integers(5, size=(12, 7), dtype=np.int32)
    # From no position that counts to all seven, so that micro-batches weigh differently.
    counts = np.arange(7) < (np.arange(12) % 8)[:, None]

    def loss(outputs, targets):
        values = losses.softmax_cross_entropy(
            outputs.reshape(-1, 5), targets["token"].reshape(-1)
        ).reshape(-1, 7)
        return metrics.Weighted(values, targets["counts"])

    learner = classifier(models.MLP((7 * 5,)), Policy(accumulate=accumulate), loss, metrics_of={})

    @jax.jit
    def after(tokens):
        batch = {"image": jnp.asarray(images), "label": {"token": tokens, "counts": counts}}
        return learner.step(learner.init(key, batch), batch, key)

    state, measured = after(labels)
    same, same_measured = after(np.where(counts, labels, (labels + 1) % 5))
    chex.assert_trees_all_equal(state, same)
    chex.assert_trees_all_equal(measured, same_measured)
    assert measured["loss"].weight == counts.sum()


@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_batch_in_which_nothing_counts_changes_nothing(accumulate, before, batch, key):
    """Also where the values that do not count are not finite."""

    def loss(logits, labels):
        values = losses.softmax_cross_entropy(logits, labels)
        return metrics.Weighted(values, jnp.zeros(labels.shape))

    learner = classifier(policy=Policy(accumulate=accumulate), loss=loss)
    after, measured = one_step(learner, before, batch, key)
    chex.assert_trees_all_equal(after.params, before.params)
    assert measured["loss"].weight == 0
    assert np.isnan(measured["loss"].value)  # a mean over nothing
    assert np.isfinite(measured["accuracy"].value)


def test_batch_norm_moves_its_averages_once_a_micro_batch(batch, key):
    """What differs under accumulation: each micro-batch is normalised by itself."""
    model = models.CNN(features=(3,))

    @jax.jit
    def averages(batch):
        learner = classifier(model)
        before = learner.init(key, batch)
        whole, _ = learner.step(before, batch, key)
        accumulated, _ = classifier(model, Policy(accumulate=2)).step(before, batch, key)
        # By hand: two half batches (every second example), one after the other.
        state = before.model_state
        for half in (batch["image"][0::2], batch["image"][1::2]):
            _, state = model.apply(
                {"params": before.params, **state}, half, train=True, mutable=["batch_stats"]
            )
        return whole.model_state, accumulated.model_state, state

    whole, accumulated, by_hand = averages(batch)
    chex.assert_trees_all_close(accumulated, by_hand, rtol=1e-5, atol=1e-6)
    means = [state["batch_stats"]["BatchNorm_0"]["mean"] for state in (whole, accumulated)]
    assert not np.allclose(*means, rtol=1e-3)


def test_evaluation_uses_the_averaged_weights(batch, key):
    learner, plain = classifier(policy=Policy(ema=0.7)), classifier()
    masked = batch | {"mask": np.ones(24, np.float32)}

    @jax.jit
    def trained_and_seen(batch):
        before = learner.init(key, batch)
        after, _ = learner.step(before, batch, key)
        expected = jax.tree.map(lambda a, p: 0.1 * a + 0.9 * p, before.params, after.params)
        averaged = after.replace(params=expected, average=None)
        return {
            "average": (after.average, expected),
            "evaluate": (learner.evaluate(after, batch), plain.evaluate(averaged, batch)),
            "apply": (learner.apply(after, batch, key), plain.apply(averaged, batch, key)),
            "last": plain.evaluate(after.replace(average=None), batch),
        }

    found = trained_and_seen(masked)
    chex.assert_trees_all_close(*found["average"], rtol=1e-6)
    chex.assert_trees_all_close(*found["evaluate"])
    np.testing.assert_allclose(*found["apply"], rtol=1e-6)
    assert not np.allclose(found["evaluate"][0]["loss"].value, found["last"]["loss"].value)


def test_bfloat16_computes_in_low_precision_and_keeps_float32_weights(before, plain, batch, key):
    learner = classifier(policy=Policy(precision="bfloat16"))
    after, measured = one_step(learner, before, batch, key)
    chex.assert_trees_all_equal_dtypes(before.params, after.params)
    assert {leaf.dtype for leaf in jax.tree.leaves(after.params)} == {jnp.dtype("float32")}
    masked = batch | {"mask": np.ones(24, np.float32)}
    for program in (
        jax.make_jaxpr(learner.step)(before, batch, key),
        jax.make_jaxpr(learner.evaluate)(before, masked),
        jax.make_jaxpr(learner.apply)(before, batch, key),
    ):
        products = [line for line in str(program).splitlines() if "dot_general" in line]
        assert products
        assert all("bf16" in line for line in products)
    expected, exact = plain
    chex.assert_trees_all_close(after.params, expected.params, atol=2e-3)
    np.testing.assert_allclose(measured["loss"].value, exact["loss"].value, rtol=1e-2)


def test_apply_is_the_model_under_the_policy(batch, key):
    """In bfloat16 and with averaged weights, against a forward pass written here."""
    learner = classifier(policy=Policy(precision="bfloat16", ema=0.7))

    # Each rounding is kept: XLA may otherwise compute in a higher precision than it was told.
    @functools.partial(jax.jit, compiler_options={"xla_allow_excess_precision": False})
    def outputs(batch):
        state = learner.init(key, batch)
        after, _ = learner.step(state, batch, key)
        low = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), after.average)
        expected = MODEL.apply({"params": low}, batch["image"].astype(jnp.bfloat16))
        exact = MODEL.apply({"params": after.params}, batch["image"])
        return learner.apply(after, batch, key), expected.astype(jnp.float32), exact

    found, expected, exact = outputs(batch)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, expected)
    assert np.abs(found - exact).max() > 1e-3


def test_a_regularizer_joins_the_training_loss_and_the_gradient(before, plain, batch, key):
    penalised = classifier(regularizer=lambda params: 0.5 * losses.l2(params))
    after, measured = one_step(penalised, before, batch, key)
    free, unpenalised = plain
    penalty = 0.5 * jax.jit(losses.l2)(before.params)
    np.testing.assert_allclose(
        measured["loss"].value, unpenalised["loss"].value + penalty, rtol=1e-5
    )
    kernel, trained, freely = (
        np.asarray(state.params["Dense_0"]["kernel"]) for state in (before, after, free)
    )
    np.testing.assert_allclose(trained, freely - 0.1 * 0.5 * kernel, rtol=1e-4, atol=1e-6)


def test_names_are_measured_beside_the_accuracy(before, batch, key):
    """Those of each example in training too; those of counts in evaluation, of one forward pass."""
    learner = classifier(metrics_of=("f1", "top_5", "auroc"))
    _, trained = jax.eval_shape(learner.step, before, batch, key)
    assert trained.keys() == {"loss", "accuracy", "top_5", *DIAGNOSTICS}
    masked = batch | {"mask": np.float32(np.arange(24) < 17)}
    plain = jax.eval_shape(classifier().evaluate, before, masked)
    assert plain.keys() == {"loss", "accuracy"}

    @jax.jit
    def measured_and_expected(batch):
        logits, labels = learner.apply(before, batch, key)[:17], batch["label"][:17]
        each = {n: metrics.PER_EXAMPLE[n](logits, labels) for n in ("accuracy", "top_5")}
        whole = {n: metrics.OVER_SET[n](logits, labels) for n in ("f1", "auroc")}
        means = {name: metrics.mean(values) for name, values in each.items()}
        return learner.evaluate(before, batch), means | whole

    found, expected = map(metrics.values, measured_and_expected(masked))
    assert found.keys() == expected.keys() | {"loss"}
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6)
