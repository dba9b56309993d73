"""A small classifier of digits, trained once for all tests of this folder."""

import jax
import jax.numpy as jnp
import optax
import pytest

from dlcourse import losses
from dlcourse.data import images as load_images
from tests.analysis.networks import network


@pytest.fixture(scope="module")
def batch() -> tuple[jax.Array, jax.Array]:
    digits = load_images("digits")
    rows = digits.read(digits.splits["test"][:101])
    return jnp.asarray(rows["image"]), jnp.asarray(rows["label"])


@pytest.fixture(scope="module")
def logits() -> jax.tree_util.Partial:
    """A small network trained on digits for a moment."""
    digits = load_images("digits")
    rows = digits.read(digits.splits["train"])
    x, y = jnp.asarray(rows["image"]), jnp.asarray(rows["label"])
    first, last = jax.random.split(jax.random.key(0))
    weights = {
        "first": jax.random.normal(first, (64, 32)) / 8,
        "last": jax.random.normal(last, (32, 10)) / 8,
    }
    optimizer = optax.adam(0.02)

    @jax.jit
    def train(weights) -> dict[str, jax.Array]:
        def step(carry, _) -> tuple:
            weights, state = carry
            gradient = jax.grad(lambda w: losses.softmax_cross_entropy(network(w, x), y).mean())(
                weights
            )
            updates, state = optimizer.update(gradient, state)
            return (optax.apply_updates(weights, updates), state), None

        return jax.lax.scan(step, (weights, optimizer.init(weights)), length=100)[0][0]

    return jax.tree_util.Partial(network, train(weights))
