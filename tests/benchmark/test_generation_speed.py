"""The benchmark of generation draws the tokens that it says, and both of its ways run."""

import jax
import jax.numpy as jnp
import numpy as np

from dlcourse import models
from dlcourse.benchmark import generation

MODEL = models.GPT(vocabulary=7, context=2 * generation.LENGTH, layers=1, heads=2, features=4)


def test_both_ways_run():
    params = jax.jit(MODEL.init)(jax.random.key(0), jnp.zeros((1, 2), jnp.int32))
    short, long = (
        generation.cached(params, 2, room, model=MODEL)()
        for room in (generation.LENGTH, 2 * generation.LENGTH)
    )
    assert short.shape == (2, generation.TOKENS)
    np.testing.assert_array_equal(short, long)  # more room changes no token
    assert generation.recomputed(params, 2, model=MODEL)().shape == (2,)
