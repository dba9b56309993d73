"""What learners do with a policy: precision, micro-batches, averaged weights."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data, learners, losses, models, optim
from dlcourse.learner import Policy


@pytest.fixture(scope="module")
def batch():
    return jax.tree.map(jnp.asarray, data.images("digits").batch(0, 24, seed=0))


def classifier(model=models.MLP((13, 10)), policy=Policy(), **options):  # noqa: B008
    return learners.supervised(
        model, losses.softmax_cross_entropy, optim.sgd(0.1), policy=policy, **options
    )


def one_step(learner, batch, key):
    state = learner.init(key, batch)
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


@pytest.mark.parametrize("k", [2, 3, 24])
def test_accumulated_gradients_are_those_of_the_whole_batch(k, batch, key):
    _, whole, expected = one_step(classifier(), batch, key)
    _, accumulated, measured = one_step(classifier(policy=Policy(accumulate=k)), batch, key)
    chex.assert_trees_all_close(accumulated.params, whole.params, rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(measured, expected, rtol=1e-5)


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


def test_averaged_weights_are_what_evaluation_sees(batch, key):
    learner = classifier(policy=Policy(ema=0.7))
    before, after, _ = one_step(learner, batch, key)
    expected = jax.tree.map(lambda a, p: 0.7 * a + 0.3 * p, before.params, after.params)
    chex.assert_trees_all_close(after.average, expected, rtol=1e-6)
    masked = batch | {"mask": jnp.ones(24)}
    plain = classifier()
    seen = learner.evaluate(after, masked)
    chex.assert_trees_all_close(
        seen, plain.evaluate(after.replace(params=expected, average=None), masked)
    )
    assert not np.allclose(
        seen["loss"].value, plain.evaluate(after.replace(average=None), masked)["loss"].value
    )


def test_bfloat16_computes_low_and_keeps_weights_high(batch, key):
    model = models.MLP((13, 10))
    learner = classifier(model, Policy(precision="bfloat16"))
    before, after, measured = one_step(learner, batch, key)
    chex.assert_trees_all_equal_dtypes(before.params, after.params)
    assert {leaf.dtype for leaf in jax.tree.leaves(after.params)} == {jnp.dtype("float32")}
    text = str(jax.make_jaxpr(learner.step)(before, batch, key))
    products = [line for line in text.splitlines() if "dot_general" in line]
    assert products
    assert all("bf16" in line for line in products)
    _, expected, exact = one_step(classifier(model), batch, key)
    chex.assert_trees_all_close(after.params, expected.params, atol=2e-3)
    np.testing.assert_allclose(measured["loss"].value, exact["loss"].value, rtol=1e-2)


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


def test_a_gan_trains_each_network_on_its_own_loss(batch, key):
    learner = learners.gan(
        models.Generator((8, 8, 1), (16,)),
        models.Discriminator((16,), dropout=0.0),
        optim.sgd(0.0),
        optim.sgd(0.1),
        latent=5,
    )
    before, after, measured = one_step(learner, batch, key)
    # The generator's rate is zero, so it stands still and the discriminator does not.
    chex.assert_trees_all_equal(before.params["generator"], after.params["generator"])
    kernels = [s.params["discriminator"]["Dense_0"]["kernel"] for s in (before, after)]
    assert not np.allclose(*kernels)
    assert 0 < measured["real_probability"].value < 1
    # At a discriminator of 1/2 everywhere the loss is log 4.
    blind = jax.tree.map(jnp.zeros_like, before.params["discriminator"])
    state = before.replace(params=before.params | {"discriminator": blind})
    evaluated = learner.evaluate(state, batch | {"mask": jnp.ones(24)})
    np.testing.assert_allclose(evaluated["discriminator_loss"].value, np.log(4), rtol=1e-5)


def test_gan_evaluation_gives_each_image_its_own_latent(batch, key):
    """So that the measure does not depend on how the set is cut into batches."""
    learner = learners.gan(
        models.Generator((8, 8, 1), (16,)),
        models.Discriminator((16,)),
        optim.sgd(0.1),
        optim.sgd(0.1),
        latent=5,
    )
    state = learner.init(key, batch)
    masked = batch | {"mask": jnp.ones(24)}
    whole = learner.evaluate(state, masked)
    halves = [
        learner.evaluate(state, jax.tree.map(lambda a, s=s: a[s], masked))
        for s in (slice(0, 12), slice(12, 24))
    ]
    merged = jax.tree.map(jnp.add, *halves)
    chex.assert_trees_all_close(merged, whole, rtol=1e-4, atol=1e-4)
