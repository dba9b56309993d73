"""The five schemes: measured variances, and Linen takes them."""

import functools

import jax
import numpy as np
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


@functools.cache
def drawn(name: str) -> np.ndarray:
    return np.asarray(INITIALIZERS[name](jax.random.key(0), (N_IN, N_OUT)))


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_variance(name) -> None:
    weights = drawn(name)
    # 120,000 draws: the sample variance of a normal is off by sqrt(2/120000) = 0.4 % (one sigma).
    assert np.var(weights) == pytest.approx(VARIANCE[name], rel=0.02)
    assert np.abs(np.mean(weights)) <= 4 * (VARIANCE[name] / weights.size) ** 0.5


@pytest.mark.parametrize("name", ["small_normal", "xavier", "glorot", "he"])
def test_tails_are_not_truncated(name) -> None:
    beyond = np.mean(np.abs(drawn(name)) > 2 * VARIANCE[name] ** 0.5)
    assert beyond == pytest.approx(0.0455, rel=0.05)  # a normal's share beyond two sigmas


def test_a_convolution_counts_its_window(key) -> None:
    weights = INITIALIZERS["he"](key, (3, 3, 64, 128))
    assert np.var(weights) == pytest.approx(2 / (9 * 64), rel=0.02)


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_linen_takes_it(key, name) -> None:
    model = models.MLP((N_OUT,), kernel_init=INITIALIZERS[name])
    params = model.init(key, jax.device_put(np.ones((1, N_IN), np.float32)))["params"]["Dense_0"]
    assert np.std(params["kernel"]) == pytest.approx(np.std(drawn(name)), rel=0.01)
    assert np.all(np.asarray(params["bias"]) == 0)


def test_two_keys_differ_and_one_repeats() -> None:
    for name in ("small_normal", "xavier", "glorot", "he"):
        draw = INITIALIZERS[name]
        first, same, other = (np.asarray(draw(jax.random.key(n), (5, 7))) for n in (0, 0, 1))
        assert np.all(first == same)
        assert not np.any(first == other)
