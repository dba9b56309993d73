"""The VAE: its two terms, and its bounds against an exact likelihood."""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from dlcourse import data, learners, metrics, models, optim
from dlcourse.errors import UserError
from dlcourse.learner import Policy, Rule

RULE = Rule(optim.sgd(0.01))
# x = W z + b + noise, whose likelihood is N(b, W W^T + σ² I).
LINEAR = models.VAE((2, 2, 1), 2, (), "gaussian", lambda x: x)
BINARY = models.VAE((8, 8, 1), 3, (16,))
LOW = models.VAE((8, 8, 1), 3, (16,), "gaussian")


@functools.cache
def evaluator(draws):
    return jax.jit(learners.vae(LINEAR, RULE, draws=draws).evaluate)


@pytest.fixture(scope="module")
def gaussian():
    """A linear VAE away from its optimum, and images."""
    rows = np.random.default_rng(0).normal(size=(31, 2, 2, 1)).astype(np.float32)
    batch = {"image": rows, "index": np.arange(31), "mask": np.ones(31, np.float32)}
    batch = jax.device_put(batch)
    return learners.vae(LINEAR, RULE).init(jax.random.key(1), batch), batch


@pytest.fixture(scope="module")
def digits():
    mask = np.ones(24, np.float32)
    return jax.device_put(data.images("digits").batch(0, 24, seed=0) | {"mask": mask})


def test_bounds_rise_with_draws_to_the_exact_likelihood(gaussian):
    state, batch = gaussian
    decoder = state.params["decoder"]["Dense_0"]
    w, b = np.asarray(decoder["kernel"]), np.asarray(decoder["bias"])
    covariance = w.T @ w + np.exp(state.params["log_variance"]) * np.eye(4)
    rows = np.asarray(batch["image"])
    exact = scipy.stats.multivariate_normal(b, covariance).logpdf(rows.reshape(-1, 4))
    found = metrics.values(evaluator(10)(state, batch))
    many = metrics.values(evaluator(3000)(state, batch))["nll_iwae_3000"]
    assert found["loss"] > found["nll_iwae_10"] > many
    # The bound holds in expectation: 4 standard errors of these 31 times 3,000 draws are 0.05.
    np.testing.assert_allclose(many, -exact.mean(), atol=0.05)


def test_the_loss_is_the_sum_of_its_terms_at_any_batch_size(gaussian):
    state, batch = gaussian
    whole = metrics.values(evaluator(10)(state, batch))
    np.testing.assert_allclose(whole["loss"], whole["reconstruction"] + whole["kl"], rtol=1e-5)
    parts = [evaluator(10)(state, {n: a[i : i + 7] for n, a in batch.items()}) for i in (0, 7)]
    rest = evaluator(10)(state, {n: a[14:] for n, a in batch.items()})
    merged = metrics.values(jax.tree.map(lambda *sums: sum(sums), *parts, rest))
    for name, value in whole.items():
        np.testing.assert_allclose(merged[name], value, rtol=1e-5)


def test_kl_sums_over_latents_and_reconstruction_over_pixels(digits):
    x = (digits["image"] > 0.5).astype(jnp.float32)
    noise = jax.random.normal(jax.random.key(0), (24, 3))
    variables = BINARY.init(jax.random.key(0), x, noise)
    log_likelihood, kl = BINARY.apply(variables, x, noise)
    mean, log_variance = BINARY.apply(variables, x, method="encode")
    image = BINARY.apply(variables, mean + jnp.exp(log_variance / 2) * noise, method="decode")
    expected = scipy.stats.bernoulli(np.asarray(image, np.float64)).logpmf(np.asarray(x))
    np.testing.assert_allclose(log_likelihood, expected.sum((1, 2, 3)), rtol=1e-4)
    mean, log_variance = (np.asarray(a, np.float64) for a in (mean, log_variance))
    z = mean + np.exp(log_variance / 2) * np.random.default_rng(0).normal(size=(20_000, 24, 3))
    q = scipy.stats.norm(mean, np.exp(log_variance / 2)).logpdf(z).sum(-1)
    monte_carlo = (q - scipy.stats.norm.logpdf(z).sum(-1)).mean(0)
    np.testing.assert_allclose(kl, monte_carlo, atol=0.05)


def test_apply_reconstructs_decodes_and_samples(digits):
    learner = learners.vae(BINARY, RULE, binarise="dynamic")
    state, key = learner.init(jax.random.key(0), digits), jax.random.key(1)
    image = digits["image"]
    apply = jax.jit(learner.apply)
    found = apply(state, {"image": image}, key)
    again = apply(state, {"latent": found["latent"]}, key)
    np.testing.assert_allclose(found["reconstruction"], again, rtol=1e-5)
    assert again.shape == image.shape
    samples, some = (apply(state, {"index": jnp.arange(i, 4)}, key) for i in (0, 2))
    np.testing.assert_allclose(samples[2:], some, rtol=1e-5)


def test_the_network_of_burda_has_its_published_size():
    x = jnp.zeros((1, 28, 28, 1))
    shapes = jax.eval_shape(models.VAE((28, 28, 1)).init, jax.random.key(0), x, jnp.zeros((1, 50)))
    layers = [(784, 200), (200, 200), (200, 100), (50, 200), (200, 200), (200, 784)]
    expected = sum(i * o + o for i, o in layers)
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)) == expected


def test_dynamic_binarisation_has_the_grey_level_as_its_mean():
    grey = np.full((4000, 1, 1, 1), 0.3, np.float32)
    model = models.VAE((1, 1, 1), 1, ())
    learner = learners.vae(model, RULE, binarise="dynamic")
    batch = {"image": grey, "index": np.arange(4000), "mask": np.ones(4000, np.float32)}
    batch = jax.device_put(batch)
    state = learner.init(jax.random.key(0), batch)
    params = jax.tree.map(jnp.zeros_like, state.params)
    params["decoder"]["Dense_0"]["bias"] = jnp.ones(1)
    found = metrics.values(learner.evaluate(state.replace(params=params), batch))
    # -log p(x) = softplus(1) - x, so the mean tells how often x is 1.
    ones = float(nn.softplus(1.0)) - found["reconstruction"]
    assert abs(ones - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 4000)


def test_low_precision_leaves_the_terms_in_float32(digits):
    """Networks compute in bfloat16; grey pixels and the sums over them are not rounded to it."""
    low = learners.vae(LOW, RULE._replace(policy=Policy("bfloat16")))
    exact = learners.vae(LOW, RULE)
    state = exact.init(jax.random.key(0), digits)
    text = str(jax.make_jaxpr(low.evaluate)(state, digits))
    products = [line for line in text.splitlines() if "dot_general" in line]
    assert len(products) == 4
    assert all(":bf16" in line for line in products)
    expected, found = (jax.jit(each.evaluate)(state, digits) for each in (exact, low))
    for name, value in found.items():
        assert value.total.dtype == jnp.float32
        np.testing.assert_allclose(value.total, expected[name].total, rtol=0.02)
    # Without weights both are the same number: nothing but a network was rounded.
    nothing = jax.tree.map(jnp.zeros_like, state)
    expected, found = (jax.jit(each.evaluate)(nothing, digits) for each in (exact, low))
    np.testing.assert_allclose(found["loss"].total, expected["loss"].total, rtol=1e-6)


def test_colour_images_are_not_binarised():
    learner = learners.vae(models.VAE((4, 4, 3), 2, ()), RULE, binarise="dynamic")
    with pytest.raises(UserError, match="made of grey images; these have 3 channels"):
        learner.init(jax.random.key(0), {"image": jnp.zeros((2, 4, 4, 3))})
