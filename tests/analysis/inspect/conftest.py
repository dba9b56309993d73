"""What is explained: one example among others, and pictures."""

import jax
import pytest

from tests.analysis.networks import FEATURES


@pytest.fixture
def example(key) -> jax.Array:
    return jax.random.normal(key, (FEATURES,))


@pytest.fixture
def background() -> jax.Array:
    return jax.random.normal(jax.random.key(1), (7, FEATURES))


@pytest.fixture
def pictures() -> jax.Array:
    return jax.random.uniform(jax.random.key(2), (3, 5, 7, 1))
