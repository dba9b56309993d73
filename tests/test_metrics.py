"""Metrics merge exactly."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from dlcourse import data, metrics

ORACLE = 0.0855


def test_a_mean_does_not_depend_on_how_the_set_was_cut(key):
    values = jax.random.normal(key, (97, 3))
    mask = (jnp.arange(97) < 83).astype(jnp.float32)
    whole = metrics.mean(values, mask)
    parts = [metrics.mean(values[i : i + 10], mask[i : i + 10]) for i in range(0, 97, 10)]
    merged = parts[0]
    for part in parts[1:]:
        merged = jax.tree.map(jnp.add, merged, part)
    chex.assert_trees_all_close(merged, whole, rtol=1e-5)
    np.testing.assert_allclose(whole.value, values[:83].mean(), rtol=1e-5)
    assert whole.weight == 83 * 3


def test_padding_may_hold_anything():
    mean = metrics.mean(jnp.array([2.0, jnp.nan, jnp.inf, 4.0]), jnp.array([1.0, 0.0, 0.0, 1.0]))
    assert mean.value == 3.0


def test_accuracy_counts_the_largest_logit():
    logits = jnp.array([[0.1, 3.0, -1.0], [2.0, 1.0, 0.0], [0.0, 0.0, 5.0]])
    assert metrics.accuracy(logits, jnp.array([1, 2, 2])).tolist() == [1.0, 0.0, 1.0]


def gaussians(seed):
    generator = np.random.default_rng(seed)
    mix = generator.normal(size=(5, 5))
    real = generator.normal(size=(301, 5)) @ mix
    return real, 0.3 + generator.normal(size=(401, 5)) @ mix.T


def test_frechet_distance_is_that_of_scipy():
    real, fake = gaussians(1)
    s1, s2 = np.cov(real.T), np.cov(fake.T)
    expected = np.sum((real.mean(0) - fake.mean(0)) ** 2) + np.trace(
        s1 + s2 - 2 * scipy.linalg.sqrtm(s1 @ s2).real
    )
    distance = metrics.FrechetDistance(
        metrics.second_moments(jnp.array(real, jnp.float32)),
        metrics.second_moments(jnp.array(fake, jnp.float32)),
    )
    assert distance.value == pytest.approx(expected, rel=1e-4)


def test_frechet_distance_of_real_digits():
    """What a perfect generator of digits would measure: real training against real test digits."""
    digits = data.images("digits")
    sides = [
        metrics.second_moments(
            jnp.asarray(digits.read(digits.splits[split])["image"].reshape(-1, 64))
        )
        for split in ("train", "test")
    ]
    assert metrics.FrechetDistance(*sides).value == pytest.approx(ORACLE, abs=1e-3)


def test_frechet_distance_merges_masks_and_takes_members():
    real, fake = (jnp.array(side, jnp.float32) for side in gaussians(2))
    whole = metrics.second_moments(real)
    mask = (jnp.arange(350) < 301).astype(jnp.float32)
    padded = jnp.concatenate([real, jnp.full((49, 5), jnp.nan)])
    cut = sum(
        metrics.second_moments(padded[i : i + 50], mask[i : i + 50]) for i in range(0, 350, 50)
    )
    np.testing.assert_allclose(cut, whole, rtol=1e-5)
    other = metrics.second_moments(fake)
    both = metrics.FrechetDistance(jnp.stack([whole, whole]), jnp.stack([other, whole]))
    alone = metrics.FrechetDistance(whole, other).value
    np.testing.assert_allclose(both.value, [alone, 0.0], rtol=1e-5, atol=1e-4)
