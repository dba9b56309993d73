"""What is explained: one example among others, and pictures."""

import jax
import numpy as np
import pytest

from tests.analysis.networks import FEATURES


@pytest.fixture(scope="session")
def example() -> jax.Array:
    values = np.random.default_rng(0).normal(size=FEATURES)
    return jax.device_put(values.astype(np.float32))


@pytest.fixture(scope="session")
def background() -> jax.Array:
    values = np.random.default_rng(1).normal(size=(7, FEATURES))
    return jax.device_put(values.astype(np.float32))


@pytest.fixture(scope="session")
def pictures() -> jax.Array:
    return jax.device_put(np.random.default_rng(2).random((3, 5, 7, 1), np.float32))


@pytest.fixture(scope="session")
def other_pictures() -> jax.Array:
    """Those that the pictures are compared with."""
    return jax.device_put(np.random.default_rng(5).random((6, 5, 7, 1), np.float32))
