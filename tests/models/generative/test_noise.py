"""Noise and the steps back, against closed forms of a Gaussian."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse.errors import UserError
from dlcourse.models.generative.noise import Noise, sample

MEAN, DEVIATION = 0.7, 0.4  # of the data, N(μ, s²)


def test_the_linear_schedule_is_that_of_ho_et_al():
    beta = np.linspace(1e-4, 0.02, 1000)
    np.testing.assert_allclose(Noise(1000, "linear").left, np.cumprod(1 - beta), rtol=1e-12)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
@pytest.mark.parametrize("steps", [10, 1000])
def test_little_noise_first_and_hardly_any_data_in_the_end(kind, steps):
    left = Noise(steps, kind).left
    assert np.all(np.diff(left) < 0)
    assert np.all((left > 0) & (left < 1))
    assert left[-1] < 1e-3
    if steps == 1000:
        assert left[0] > 0.999


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_noise_at_once_is_noise_step_by_step(kind, key):
    """q(x_t | x_0) by iterating q(x_s | x_(s-1)) = N(√(1 - β_s) x, β_s)."""
    noise, x = Noise(20, kind), 1.5
    left = noise.left
    beta = 1 - left / np.append(1.0, left[:-1])
    mean, variance = x, 0.0
    for t in range(20):
        mean, variance = np.sqrt(1 - beta[t]) * mean, (1 - beta[t]) * variance + beta[t]
        one = jnp.full((1, 1), t)[0]
        data = jnp.full((1, 1), x)
        np.testing.assert_allclose(noise.add(data, jnp.zeros((1, 1)), one), mean, rtol=1e-5)
        spread = noise.add(data, jnp.ones((1, 1)), one) - noise.add(data, jnp.zeros((1, 1)), one)
        np.testing.assert_allclose(spread, np.sqrt(variance), rtol=1e-4)


@pytest.mark.parametrize("target", ["epsilon", "v"])
def test_the_data_follow_from_a_perfect_prediction(target, key):
    noise = Noise(50)
    x, epsilon = jax.random.normal(key, (2, 6, 3))
    t = jnp.array([0, 1, 10, 25, 40, 47])
    x_t = noise.add(x, epsilon, t)
    predicted = noise.target(target, x, epsilon, t)
    np.testing.assert_allclose(noise.clean(target, predicted, x_t, t), x, atol=2e-3)


def expectation(noise):
    """E[x_0 | x_t] for data N(μ, s²): the perfect network, in closed form."""

    def denoise(x_t, t):
        signal, rest = noise.roots(t, x_t)
        gain = DEVIATION**2 * signal / (signal**2 * DEVIATION**2 + rest**2)
        return MEAN + gain * (x_t - signal * MEAN)

    return denoise


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_all_steps_back_end_in_the_distribution_of_the_data(eta, key):
    noise = Noise(200)
    start_key, noise_key = jax.random.split(key)
    start = jax.random.normal(start_key, (4000, 1))
    keys = jax.random.split(noise_key, 4000)
    found = np.asarray(sample(expectation(noise), noise, start, keys, steps=200, eta=eta).data)
    assert found.mean() == pytest.approx(MEAN, abs=4 * DEVIATION / np.sqrt(4000))
    assert found.std() == pytest.approx(DEVIATION, rel=0.06)


def test_without_randomness_a_step_is_the_map_between_two_gaussians(key):
    """The exact transport from N(0, 1) to N(μ, s²) is linear: x = μ + s z."""
    noise = Noise(1000)
    start = jnp.linspace(-2, 2, 9)[:, None]
    keys = jax.random.split(key, 9)
    found = sample(expectation(noise), noise, start, keys, steps=1000).data
    np.testing.assert_allclose(found, MEAN + DEVIATION * start, atol=0.01)


def test_a_random_step_has_the_posterior_of_ddpm(key):
    """Ho et al., equations 6 and 7: the mean and the variance β̃ of q(x_(t-1) | x_t, x_0)."""
    noise = Noise(8, "linear")
    left = np.append(noise.left, 1.0)  # left[-1] is ᾱ before the first step
    fixed = 0.3
    start = jnp.full((20_000, 1), 1.2)
    keys = jax.random.split(key, 20_000)
    chain = sample(lambda x, t: jnp.full_like(x, fixed), noise, start, keys, steps=8, eta=1.0)
    path = np.asarray(chain.path)[..., 0]  # after t = 7, 6, ..., 0
    t, before = 7, left[6]
    beta = 1 - left[t] / before
    mean = np.sqrt(before) * beta / (1 - left[t]) * fixed
    mean += np.sqrt(1 - beta) * (1 - before) / (1 - left[t]) * 1.2
    variance = (1 - before) / (1 - left[t]) * beta
    assert path[0].mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / 20_000))
    assert path[0].var() == pytest.approx(variance, rel=0.05)
    # The last step adds no noise.
    np.testing.assert_allclose(path[-1], fixed, atol=1e-5)


def test_fewer_steps_begin_at_the_noise_and_end_at_the_data(key):
    seen = []

    def denoise(x, t):
        jax.debug.callback(lambda t: seen.append(int(t)), t[0], ordered=True)
        return 0 * x

    sample(denoise, Noise(100), jnp.ones((2, 1)), jax.random.split(key, 2), steps=4)
    jax.effects_barrier()
    assert seen == [99, 74, 49, 24]


@pytest.mark.parametrize("steps", [0, 11])
def test_steps_that_the_model_does_not_know_are_refused(steps, key):
    keys = jax.random.split(key, 2)
    with pytest.raises(UserError, match=f"in {steps} steps is not possible: .* with 10"):
        sample(lambda x, t: x, Noise(10), jnp.ones((2, 1)), keys, steps=steps)
