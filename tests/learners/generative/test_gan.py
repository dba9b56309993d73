"""The GAN: two networks, each trained on its own loss."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data, learners, metrics, models, optim, streams
from dlcourse.learner import Policy, Rule

GENERATOR = models.Generator((8, 8, 1), (16,))
CRITIC = models.Discriminator((16,), dropout=0.0)


def gan(policy=Policy(), rates=(0.1, 0.1)):
    rules = [Rule(optim.sgd(rate), policy) for rate in rates]
    return learners.gan(GENERATOR, CRITIC, *rules, latent=5)


# One whose generator stands still, and one under a policy.
STILL = gan(rates=(0.0, 0.1))
LOW = gan(Policy(precision="bfloat16", ema=0.5))
evaluate = jax.jit(STILL.evaluate)


@pytest.fixture(scope="module")
def batch():
    mask = np.ones(24, np.float32)
    return jax.device_put(data.images("digits").batch(0, 24, seed=0) | {"mask": mask})


@pytest.fixture(scope="module")
def start(batch):
    """The first state of the GAN without a policy."""
    return jax.jit(STILL.init)(jax.random.key(0), batch)


@pytest.fixture(scope="module")
def low(batch):
    """The state of the other GAN after a step, in which the averages are not the weights."""
    key = jax.random.key(0)
    return jax.jit(lambda batch: LOW.step(LOW.init(key, batch), batch, key)[0])(batch)


# Each rounding is kept: XLA may otherwise compute in a higher precision than it was told.
jit_as_written = functools.partial(jax.jit, compiler_options={"xla_allow_excess_precision": False})


def cast(tree):
    return jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), tree)


def made_by_hand(state, latents):
    """Images of the generator's averaged weights in bfloat16."""
    variables = {"params": cast(state.generator.average), **state.generator.model_state}
    return GENERATOR.apply(variables, latents.astype(jnp.bfloat16)).astype(jnp.float32)


def test_each_network_trains_on_its_own_loss(start, batch, key):
    after, measured = jax.jit(STILL.step)(start, batch, key)
    # The generator's rate is zero, so it stands still and the discriminator does not.
    chex.assert_trees_all_equal(start.generator.params, after.generator.params)
    kernels = [s.discriminator.params["Dense_0"]["kernel"] for s in (start, after)]
    assert not np.allclose(*kernels)
    assert 0 < measured["real_probability"].value < 1
    # At a discriminator of 1/2 everywhere the loss is log 4.
    zeros = jax.tree.map(np.zeros_like, start.discriminator.params)
    blind = start.replace(discriminator=start.discriminator.replace(params=zeros))
    evaluated = evaluate(blind, batch)
    np.testing.assert_allclose(evaluated["discriminator_loss"].value, np.log(4), rtol=1e-5)


def test_evaluation_gives_each_image_its_own_latent(start, batch):
    """So that the measure does not depend on how the set is cut into batches."""
    whole = evaluate(start, batch)
    halves = [
        evaluate(start, jax.tree.map(lambda a, s=s: np.asarray(a)[s], batch))
        for s in (slice(0, 12), slice(12, 24))
    ]
    merged = jax.tree.map(np.add, *halves)
    name = "frechet"
    for side in ("real", "generated"):  # each is a high and a low part, which vary with the cut
        sums = [np.asarray(getattr(m[name], side), float).sum(0) for m in (merged, whole)]
        np.testing.assert_allclose(*sums, rtol=1e-5, atol=1e-5)
    for name, value in metrics.values(whole).items():
        assert metrics.values(merged)[name] == pytest.approx(value, rel=1e-4)


def test_evaluation_computes_both_networks_in_the_policys_precision(low, batch):
    """Every product, the discriminator's too, has bfloat16 operands; the values say the same."""
    program = str(jax.make_jaxpr(lambda s, b: LOW.evaluate(s, b)["discriminator_loss"])(low, batch))
    products = [line for line in program.splitlines() if "dot_general" in line]
    in_bfloat16 = [line for line in products if "bf16" in line]
    # Two layers of each network: one pass of the generator, two of the discriminator. The two
    # products that are not low are the second moments of the images.
    assert len(in_bfloat16) == 2 + 2 * 2
    assert len(products) - len(in_bfloat16) == 2

    @jit_as_written
    def found_and_expected(state, batch):
        latents = jax.vmap(lambda key: jax.random.normal(key, (5,)))(
            streams.of_examples("latent", batch["index"])
        )
        critic = {"params": cast(state.discriminator.average)}
        real, made = (
            CRITIC.apply(critic, x.astype(jnp.bfloat16)).astype(jnp.float32)
            for x in (batch["image"], made_by_hand(state, latents))
        )
        expected = jnp.mean(jax.nn.softplus(-real) + jax.nn.softplus(made))
        return LOW.evaluate(state, batch)["discriminator_loss"].value, expected

    found, expected = found_and_expected(low, batch)
    assert found == pytest.approx(float(expected), rel=1e-6)


def test_apply_samples_with_the_averaged_weights_in_the_policys_precision(low, key):
    latent = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)

    @jit_as_written
    def found_and_expected(state, latent):
        return LOW.apply(state, {"latent": latent}, key), made_by_hand(state, latent)

    found, expected = found_and_expected(low, latent)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, expected)


def test_a_sample_belongs_to_its_number_not_to_its_batch(start, key):
    @jax.jit
    def samples(state, key):
        return {
            "whole": STILL.apply(state, {"index": jnp.arange(6)}, key),
            "alone": STILL.apply(state, {"index": jnp.array([4])}, key),
            "other key": STILL.apply(state, {"index": jnp.arange(6)}, jax.random.key(1)),
        }

    found = jax.tree.map(np.asarray, samples(start, key))
    whole = found["whole"]
    np.testing.assert_allclose(found["alone"][0], whole[4], rtol=1e-5, atol=1e-6)
    assert not np.allclose(whole[0], whole[1])
    assert not np.allclose(whole, found["other key"])


class Plane(nn.Module):
    """The logit is w^T x."""

    @nn.compact
    def __call__(self, x, *, train=False):
        return nn.Dense(1, use_bias=False)(x.reshape(x.shape[0], -1))[:, 0]


def test_the_slope_at_real_images_is_penalised(batch, key):
    """Of a plane the slope is w everywhere: γ/2 |w|², whose gradient is γ w."""
    rate, gamma = 0.1, 3.0

    def after(r1):
        rules = [Rule(optim.sgd(0.0)), Rule(optim.sgd(rate))]
        learner = learners.gan(GENERATOR, Plane(), *rules, latent=5, r1=r1)
        before = learner.init(key, batch)
        state, measured = jax.jit(learner.step)(before, batch, key)
        kernels = [s.discriminator.params["Dense_0"]["kernel"] for s in (before, state)]
        return *kernels, measured

    w, without, _ = after(0.0)
    _, penalised, measured = after(gamma)
    np.testing.assert_allclose(penalised, without - rate * gamma * w, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(measured["penalty"].value, jnp.sum(w**2), rtol=1e-5)
