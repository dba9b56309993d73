"""Metrics merge exactly, count by weight and keep members apart."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from dlcourse import data, metrics
from dlcourse.errors import UserError

ORACLE = 0.0855


mean = jax.jit(metrics.mean)


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def test_a_mean_does_not_depend_on_how_the_set_is_cut():
    values = normal(97, 3)
    mask = np.float32(np.arange(97) < 83)
    whole = mean(values, mask)
    parts = [mean(values[i : i + 10], mask[i : i + 10]) for i in range(0, 97, 10)]
    cut = jax.tree.map(lambda *sums: np.sum(sums), *parts)
    chex.assert_trees_all_close(cut, whole, rtol=1e-5)
    np.testing.assert_allclose(whole.value, np.mean(values[:83]), rtol=1e-5)
    assert whole.weight.item() == 83 * 3


def test_padding_may_hold_anything():
    found = mean(np.float32([2.0, np.nan, np.inf, 4.0]), np.float32([1.0, 0.0, 0.0, 1.0]))
    assert found.value.item() == 3.0


def test_a_weighted_mean_is_that_of_its_weights():
    values, weights = normal(2, 7, 5)
    weights = np.maximum(weights, 0.0)  # half of them are 0
    mask = np.float32([1, 1, 1, 0, 1, 0, 0])
    whole = mean(metrics.Weighted(values, weights), mask)
    effective = weights * mask[:, None]
    np.testing.assert_allclose(whole.value, np.average(values, weights=effective), rtol=1e-5)
    np.testing.assert_allclose(whole.weight, effective.sum(), rtol=1e-6)
    parts = [
        mean(metrics.Weighted(values[i], weights[i]), mask[i]) for i in (slice(0, 3), slice(3, 7))
    ]
    chex.assert_trees_all_close(jax.tree.map(jnp.add, *parts), whole, rtol=1e-5)


def test_integer_and_boolean_weights_count():
    values = np.arange(6).reshape(2, 3)
    counted = mean(metrics.Weighted(values, values % 2 == 1))
    assert (counted.total.item(), counted.weight.item()) == (9.0, 3.0)
    doubled = mean(metrics.Weighted(values, np.full((2, 3), 2)))
    assert (doubled.value.item(), doubled.weight.item()) == (2.5, 12.0)


def test_weights_of_one_are_no_weights():
    values, mask = normal(7, 5), np.arange(7) < 4
    weighted = metrics.Weighted(values, np.ones((7, 5), np.float32))
    chex.assert_trees_all_equal(mean(weighted, mask), mean(values, mask))


def test_values_of_weight_zero_may_be_anything():
    """Neither they nor the weights of masked examples reach the sums, and gradients stay finite."""
    values = np.float32([[2.0, np.nan], [np.inf, 4.0], [np.nan, 1.0]])
    weights = np.float32([[1.0, 0.0], [0.0, 3.0], [1.0, np.nan]])

    @jax.jit
    @jax.value_and_grad
    def total(values):
        return metrics.mean(metrics.Weighted(values, weights), jnp.array([1.0, 1.0, 0.0])).value

    value, gradient = total(values)
    assert value.item() == (2 + 3 * 4) / 4
    np.testing.assert_allclose(gradient, [[0.25, 0], [0, 0.75], [0, 0]])


def test_a_mean_without_weight_is_nan():
    values, nothing = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
    assert np.isnan(mean(metrics.Weighted(values, nothing)).value)
    assert np.isnan(mean(values, nothing[:, 0]).value)


def test_weights_of_another_shape_are_refused():
    with pytest.raises(UserError, match=r"\(2, 3\) and their weights \(2, 1\)"):
        metrics.mean(metrics.Weighted(np.ones((2, 3)), np.ones((2, 1))))


def test_accuracy_counts_the_largest_logit():
    logits = np.float32([[0.1, 3.0, -1.0], [2.0, 1.0, 0.0], [0.0, 0.0, 5.0]])
    assert jax.jit(metrics.accuracy)(logits, np.array([1, 2, 2])).tolist() == [1.0, 0.0, 1.0]


def gaussians(seed):
    generator = np.random.default_rng(seed)
    mix = generator.normal(size=(5, 5))
    real = generator.normal(size=(301, 5)) @ mix
    return real, 0.3 + generator.normal(size=(401, 5)) @ mix.T


def squared_frechet(real, fake):
    """The closed form in float64, with SciPy's matrix root."""
    s1, s2 = np.cov(real.T), np.cov(fake.T)
    roots = scipy.linalg.sqrtm(s1 @ s2).real
    return np.sum((real.mean(0) - fake.mean(0)) ** 2) + np.trace(s1 + s2 - 2 * roots)


def merged(vectors, size):
    """The moments of a set that is cut into batches of this size, the last one padded with nan."""
    padding = -len(vectors) % size
    mask = np.float32(np.arange(len(vectors) + padding) < len(vectors))
    padded = np.pad(np.float32(vectors), ((0, padding), (0, 0)), constant_values=np.nan)
    batches = padded.reshape(-1, size, vectors.shape[1]), mask.reshape(-1, size)
    return np.asarray(sum_of_moments(*batches))


@jax.jit
def sum_of_moments(vectors, masks):
    add = lambda sums, batch: (sums + metrics.second_moments(*batch), None)  # noqa: E731
    sums = jnp.zeros((2, *2 * (vectors.shape[-1] + 1,)))
    return jax.lax.scan(add, sums, (vectors, masks))[0]


def test_frechet_distance_is_that_of_scipy():
    real, fake = gaussians(1)
    distance = metrics.FrechetDistance(merged(real, 301), merged(fake, 401))
    assert distance.value == pytest.approx(squared_frechet(real, fake), rel=1e-4)


@pytest.mark.parametrize("size", [37, 64, 5003])
@pytest.mark.parametrize(("mean", "deviation"), [(100.0, 0.1), (-1000.0, 0.1), (3.0, 0.01)])
def test_frechet_distance_keeps_small_deviations_far_from_zero(mean, deviation, size):
    """Sums of x² in one float32 lose them: 16 % of the distance at mean 100 and deviation 0.1."""
    real, fake = (
        np.float32(mean + deviation * side[np.arange(5003) % len(side)]) for side in gaussians(3)
    )
    distance = metrics.FrechetDistance(merged(real, size), merged(fake, size))
    expected = squared_frechet(real.astype(float), fake.astype(float))
    assert distance.value == pytest.approx(expected, rel=0.01)


def test_frechet_distance_of_real_digits():
    """The distance that a perfect generator of digits reaches: training digits to test digits."""
    digits = data.images("digits")
    sides = [
        merged(digits.read(digits.splits[split])["image"].reshape(-1, 64), 100)
        for split in ("train", "test")
    ]
    assert metrics.FrechetDistance(*sides).value == pytest.approx(ORACLE, abs=1e-3)


def test_frechet_distance_merges_masks_and_takes_members():
    real, fake = gaussians(2)
    whole, other = merged(real, 301), merged(fake, 401)
    np.testing.assert_allclose(merged(real, 50).sum(0), whole.sum(0), rtol=1e-5)
    alone = metrics.FrechetDistance(whole, other).value
    both = metrics.FrechetDistance(np.stack([whole, whole]), np.stack([other, whole]))
    np.testing.assert_allclose(both.value, [alone, 0.0], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_frechet_distance_of_a_diverged_member_is_nan(bad):
    """The other members keep their values, with one axis of members or with two."""
    real, fake = gaussians(2)
    whole, other = merged(real, 301), merged(fake, 401)
    diverged = merged(np.where(np.arange(401)[:, None] == 7, bad, fake), 401)
    alone = metrics.FrechetDistance(whole, other).value
    assert np.isnan(metrics.FrechetDistance(whole, diverged).value)
    generated = np.stack([diverged, other, diverged, other])
    three = metrics.FrechetDistance(np.stack([whole] * 4), generated).value
    np.testing.assert_allclose(three, [np.nan, alone, np.nan, alone], rtol=1e-6)
    shape = (2, 2, *whole.shape)
    square = metrics.FrechetDistance(np.broadcast_to(whole, shape), generated.reshape(shape))
    np.testing.assert_allclose(square.value, three.reshape(2, 2))


@pytest.mark.parametrize("count", [0, 1])
def test_frechet_distance_needs_two_vectors(count):
    real, _ = gaussians(2)
    assert np.isnan(metrics.FrechetDistance(merged(real[:count], 5), merged(real, 50)).value)
