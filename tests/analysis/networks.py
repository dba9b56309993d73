"""The networks that the tests of this folder attack and explain."""

import jax
import jax.numpy as jnp


def network(weights, x) -> jax.Array:
    hidden = jnp.tanh(x.reshape(len(x), -1) @ weights["first"])
    return hidden @ weights["last"]


def accuracy(logits, x, y) -> float:
    return float(jnp.mean(jnp.argmax(logits(x), axis=-1) == y))


FEATURES = 5


def smooth_network(x) -> jax.Array:
    """Something smooth with interactions, of three outputs."""
    first, last = jax.random.split(jax.random.key(3))
    x = x.reshape(len(x), -1)
    hidden = jnp.tanh(x @ jax.random.normal(first, (x.shape[1], 11)))
    return hidden @ jax.random.normal(last, (11, 3))
