"""The networks that the tests of this folder attack and explain."""

import jax
import jax.numpy as jnp
import numpy as np


def network(weights, x) -> jax.Array:
    hidden = jnp.tanh(x.reshape(len(x), -1) @ weights["first"])
    return hidden @ weights["last"]


def accuracy(logits, x, y) -> float:
    return float(jnp.mean(jnp.argmax(logits(x), axis=-1) == y))


FEATURES = 5


@jax.jit
def smooth_network(x) -> jax.Array:
    """Something smooth with interactions, of three outputs."""
    rng = np.random.default_rng(3)
    x = x.reshape(len(x), -1)
    hidden = jnp.tanh(x @ rng.normal(size=(x.shape[1], 11)).astype(np.float32))
    return hidden @ rng.normal(size=(11, 3)).astype(np.float32)
