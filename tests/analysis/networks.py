"""The network that the tests of this folder attack."""

import jax
import jax.numpy as jnp


def network(weights, x) -> jax.Array:
    hidden = jnp.tanh(x.reshape(len(x), -1) @ weights["first"])
    return hidden @ weights["last"]


def accuracy(logits, x, y) -> float:
    return float(jnp.mean(jnp.argmax(logits(x), axis=-1) == y))
