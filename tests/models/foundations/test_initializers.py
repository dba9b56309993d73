"""The five schemes: measured variances, and Linen takes them."""

import jax
import jax.numpy as jnp
import pytest

from dlcourse import models
from dlcourse.models.foundations.initializers import INITIALIZERS

N_IN, N_OUT = 400, 300
VARIANCE = {
    "zeros": 0.0,
    "small_normal": 1e-4,
    "xavier": 1 / N_IN,
    "glorot": 2 / (N_IN + N_OUT),
    "he": 2 / N_IN,
}


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_variance(key, name) -> None:
    weights = INITIALIZERS[name](key, (N_IN, N_OUT))
    # 120,000 draws: the sample variance of a normal is off by sqrt(2/120000) = 0.4 % (one sigma).
    assert jnp.var(weights) == pytest.approx(VARIANCE[name], rel=0.02)
    assert jnp.abs(jnp.mean(weights)) <= 4 * (VARIANCE[name] / weights.size) ** 0.5


@pytest.mark.parametrize("name", ["small_normal", "xavier", "glorot", "he"])
def test_tails_are_not_truncated(key, name) -> None:
    weights = INITIALIZERS[name](key, (N_IN, N_OUT))
    beyond = jnp.mean(jnp.abs(weights) > 2 * VARIANCE[name] ** 0.5)
    assert beyond == pytest.approx(0.0455, rel=0.05)  # a normal's share beyond two sigmas


def test_a_convolution_counts_its_window(key) -> None:
    weights = INITIALIZERS["he"](key, (3, 3, 64, 128))
    assert jnp.var(weights) == pytest.approx(2 / (9 * 64), rel=0.02)


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_linen_takes_it(key, name) -> None:
    model = models.MLP((50, 7), kernel_init=INITIALIZERS[name])
    params = model.init(key, jnp.ones((1, N_IN)))["params"]
    draw = INITIALIZERS[name](key, (N_IN, 50))
    assert jnp.std(params["Dense_0"]["kernel"]) == pytest.approx(float(jnp.std(draw)), rel=0.05)
    assert jnp.all(params["Dense_0"]["bias"] == 0)


def test_two_keys_differ_and_one_repeats() -> None:
    for name in ("small_normal", "xavier", "glorot", "he"):
        draw = [INITIALIZERS[name](jax.random.key(seed), (5, 7)) for seed in (0, 0, 1)]
        assert jnp.all(draw[0] == draw[1])
        assert not jnp.any(draw[0] == draw[2])
