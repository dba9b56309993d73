"""Members side by side: the same numbers, whichever way XLA's CPU compiler likes them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse.models.vision.convolution import convolve_batch
from dlcourse.training.engine.population import each


def convolution(kernel, x):
    return convolve_batch(x, kernel, 1, "SAME")


def strided(kernel, x):
    return convolve_batch(x, kernel, 2, "SAME")


def product(kernel, x):
    return jnp.einsum("bijc,mnco->bijo", x, kernel)


@pytest.mark.parametrize(
    ("function", "in_turn"),
    [(convolution, True), (strided, True), (product, False)],
    ids=["few channels", "conv", "dot"],
)
@pytest.mark.parametrize("axes", [(0, 0), (0, None)], ids=str)
def test_each_member_computes_what_it_would_alone(key, function, in_turn, axes):
    kernels = jax.random.normal(key, (3, 3, 3, 2, 5))
    x = jax.random.normal(key, (3, 7, 6, 6, 2))
    x = x[0] if axes[1] is None else x
    together = each(function, axes)(kernels, x)
    alone = [function(k, x if axes[1] is None else x[i]) for i, k in enumerate(kernels)]
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-5, atol=1e-5)
    # On a CPU a convolution of members with filters of their own would be a grouped one.
    program = str(jax.make_jaxpr(each(function, axes))(kernels, x))
    assert ("scan[" in program) is in_turn
