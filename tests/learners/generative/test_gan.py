"""The GAN: two networks, each trained on its own loss."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data, learners, metrics, models, optim, streams
from dlcourse.learner import Policy, Rule

GENERATOR = models.Generator((8, 8, 1), (16,))
CRITIC = models.Discriminator((16,), dropout=0.0)


@pytest.fixture(scope="module")
def batch():
    digits = jax.tree.map(jnp.asarray, data.images("digits").batch(0, 24, seed=0))
    return digits | {"mask": jnp.ones(24)}


def gan(policy=Policy(), rates=(0.1, 0.1)):
    rules = [Rule(optim.sgd(rate), policy) for rate in rates]
    return learners.gan(GENERATOR, CRITIC, *rules, latent=5)


def cast(tree):
    return jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), tree)


def test_each_network_trains_on_its_own_loss(batch, key):
    learner = gan(rates=(0.0, 0.1))
    before = jax.jit(learner.init)(key, batch)
    after, measured = jax.jit(learner.step)(before, batch, key)
    # The generator's rate is zero, so it stands still and the discriminator does not.
    chex.assert_trees_all_equal(before.generator.params, after.generator.params)
    kernels = [s.discriminator.params["Dense_0"]["kernel"] for s in (before, after)]
    assert not np.allclose(*kernels)
    assert 0 < measured["real_probability"].value < 1
    # At a discriminator of 1/2 everywhere the loss is log 4.
    zeros = jax.tree.map(jnp.zeros_like, before.discriminator.params)
    blind = before.replace(discriminator=before.discriminator.replace(params=zeros))
    evaluated = learner.evaluate(blind, batch)
    np.testing.assert_allclose(evaluated["discriminator_loss"].value, np.log(4), rtol=1e-5)


def test_evaluation_gives_each_image_its_own_latent(batch, key):
    """So that the measure does not depend on how the set is cut into batches."""
    learner = gan()
    state = learner.init(key, batch)
    whole = learner.evaluate(state, batch)
    halves = [
        learner.evaluate(state, jax.tree.map(lambda a, s=s: a[s], batch))
        for s in (slice(0, 12), slice(12, 24))
    ]
    merged = jax.tree.map(jnp.add, *halves)
    name = "frechet_pixels"
    for side in ("real", "generated"):  # each is a high and a low part, which vary with the cut
        sums = [np.asarray(getattr(m[name], side), float).sum(0) for m in (merged, whole)]
        np.testing.assert_allclose(*sums, rtol=1e-5, atol=1e-5)
    for name, value in metrics.values(whole).items():
        assert metrics.values(merged)[name] == pytest.approx(value, rel=1e-4)


def test_evaluation_computes_both_networks_in_the_policys_precision(batch, key):
    """Every product, the discriminator's too, has bfloat16 operands; the values say the same."""
    learner = gan(Policy(precision="bfloat16", ema=0.5))
    state = jax.jit(learner.init)(key, batch)
    state, _ = jax.jit(learner.step)(state, batch, key)
    program = str(
        jax.make_jaxpr(lambda s, b: learner.evaluate(s, b)["discriminator_loss"])(state, batch)
    )
    products = [line for line in program.splitlines() if "dot_general" in line]
    low = [line for line in products if "bf16" in line]
    # Two layers of each network: one pass of the generator, two of the discriminator. The two
    # products that are not low are the second moments of the images.
    assert len(low) == 2 + 2 * 2
    assert len(products) - len(low) == 2

    latents = jax.vmap(lambda key: jax.random.normal(key, (5,)))(
        streams.of_examples("latent", batch["index"])
    )
    fake = GENERATOR.apply(
        {"params": cast(state.generator.average), **state.generator.model_state},
        latents.astype(jnp.bfloat16),
    ).astype(jnp.float32)
    logits = [
        CRITIC.apply({"params": cast(state.discriminator.average)}, x.astype(jnp.bfloat16))
        for x in (batch["image"], fake)
    ]
    real, made = (each.astype(jnp.float32) for each in logits)
    expected = jnp.mean(jax.nn.softplus(-real) + jax.nn.softplus(made))
    found = learner.evaluate(state, batch)["discriminator_loss"].value
    assert found == pytest.approx(float(expected), rel=1e-6)


def test_apply_samples_with_the_averaged_weights_in_the_policys_precision(batch, key):
    learner = gan(Policy(precision="bfloat16", ema=0.5))
    state = jax.jit(learner.init)(key, batch)
    state, _ = jax.jit(learner.step)(state, batch, key)
    latent = jax.random.normal(key, (7, 5))
    expected = GENERATOR.apply(
        {"params": cast(state.generator.average), **state.generator.model_state},
        latent.astype(jnp.bfloat16),
    )
    found = learner.apply(state, {"latent": latent}, key)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, expected.astype(jnp.float32))


def test_a_sample_belongs_to_its_number_not_to_its_batch(batch, key):
    learner = gan()
    state = learner.init(key, batch)
    whole = learner.apply(state, {"index": jnp.arange(6)}, key)
    alone = learner.apply(state, {"index": jnp.array([4])}, key)
    np.testing.assert_allclose(alone[0], whole[4], rtol=1e-5, atol=1e-6)
    assert not np.allclose(whole[0], whole[1])
    other = learner.apply(state, {"index": jnp.arange(6)}, jax.random.key(1))
    assert not np.allclose(whole, other)
