"""Flows as learners: exact likelihoods over a split, keys of examples, and samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data, learners, metrics, models, optim, streams
from dlcourse.learner import Policy, Rule
from dlcourse.learners.generative.sampled import pixels

MODEL = models.image_flow(
    (8, 8, 1), 17, features=(4, 4), couplings=(0, 1), depth=0, dequantisation=2
)
FLOW = learners.flow(MODEL, Rule(optim.adam(0.05)), draws=3, features=pixels)


@pytest.fixture(scope="module")
def batch():
    mask = np.ones(24, np.float32)
    return jax.device_put(data.images("digits").batch(0, 24, seed=0) | {"mask": mask})


@pytest.fixture(scope="module")
def evaluate():
    return jax.jit(FLOW.evaluate)


@pytest.fixture(scope="module")
def trained(batch):
    """A state after some steps, so that no layer is the identity."""

    def steps(batch):
        state = FLOW.init(jax.random.key(0), batch)
        keys = jax.random.split(jax.random.key(1), 5)
        return jax.lax.scan(lambda state, key: FLOW.step(state, batch, key), state, keys)[0]

    return jax.jit(steps)(batch)


def test_the_metrics_are_one_likelihood_in_three_units(trained, batch, evaluate):
    found = metrics.values(evaluate(trained, batch))
    assert found["nats"] == pytest.approx(64 * found["loss"], rel=1e-6)
    assert found["bits_per_dimension"] == pytest.approx(found["loss"] / np.log(2), rel=1e-6)
    assert found["bits_per_dimension"] < np.log2(17)  # better than uniform


def test_more_draws_give_a_tighter_bound_with_its_own_name(trained, batch, evaluate):
    found = metrics.values(evaluate(trained, batch))
    assert set(found) == {"loss", "nats", "bits_per_dimension", "bits_per_dimension_iw3", "frechet"}
    assert found["bits_per_dimension_iw3"] < found["bits_per_dimension"]


def test_evaluation_does_not_depend_on_the_batches(trained, batch, evaluate):
    whole = evaluate(trained, batch)
    padded = jax.tree.map(
        lambda a: np.concatenate([np.asarray(a)[16:]] + 2 * [np.asarray(a)[:8]]), batch
    )
    padded["mask"] = np.repeat(np.float32([1, 0]), [8, 16])
    halves = [batch | {"mask": (np.arange(24) < 16).astype(np.float32)}, padded]
    merged = jax.tree.map(np.add, *(evaluate(trained, half) for half in halves))
    for name, value in metrics.values(whole).items():
        assert metrics.values(merged)[name] == pytest.approx(value, rel=1e-4), name


def test_samples_belong_to_their_numbers(trained, key):
    @jax.jit
    def draw(state, numbers):
        z = jax.vmap(lambda k: jax.random.normal(k, (8, 8, 1)))(streams.for_each(key, numbers))
        return FLOW.apply(state, {"index": numbers}, key), FLOW.apply(state, {"latent": z}, key)

    samples, of_latents = draw(trained, jnp.arange(6))
    np.testing.assert_array_equal(samples, of_latents)
    steps = 16 * np.asarray(samples)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)  # grey levels of digits
    backwards, _ = draw(trained, jnp.arange(6)[::-1])
    np.testing.assert_array_equal(backwards, np.asarray(samples)[::-1])


def test_the_latents_of_data_are_inverted_to_the_data(trained, batch, key):
    @jax.jit
    def there_and_back(state, images):
        found = FLOW.apply(state, {"image": images}, key)
        return found["log_density"], FLOW.apply(state, {"latent": found["latent"]}, key)

    log_density, back = there_and_back(trained, batch["image"])
    assert log_density.shape == (24,)
    np.testing.assert_allclose(back, batch["image"], atol=1e-6)


def test_low_precision_computes_networks_in_it_and_likelihoods_in_float32(trained, batch):
    low = learners.flow(MODEL, Rule(optim.adam(0.1), Policy(precision="bfloat16")))
    program = str(jax.make_jaxpr(low.evaluate)(trained, batch))
    products = [line for line in program.splitlines() if "dot_general" in line]
    assert sum("bf16" in line for line in products) >= 3
    assert not any("bf16" in line for line in program.splitlines() if "erf_inv" in line)


def test_points_have_nats_only(key):
    points = data.densities.points("two_moons")
    flow = learners.flow(
        models.point_flow(models.Spline, 1, (4,)), Rule(optim.adam(0.1)), inputs="x"
    )
    batch = points.batch(0, 5, seed=0)

    @jax.jit
    def compute(batch):
        state = flow.init(key, batch)
        return flow.evaluate(state, batch), flow.apply(state, batch, key)

    measured, applied = compute(batch)
    # A new flow is the standard normal.
    x = np.asarray(batch["x"])
    expected = 0.5 * (x**2).sum(1) + np.log(2 * np.pi)
    assert set(measured) == {"loss", "nats"}
    assert measured["nats"].value == pytest.approx(expected.mean(), rel=1e-5)
    np.testing.assert_allclose(applied["log_density"], -expected, rtol=1e-5)
    np.testing.assert_allclose(applied["latent"], x, atol=1e-6)
