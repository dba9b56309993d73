"""The entries of kernels, and how many of them are near 0."""

import jax.numpy as jnp
import numpy as np

from dlcourse import analysis


def test_only_kernels_are_looked_at():
    params = {"Dense_0": {"kernel": jnp.array([[0.0, 1e-4], [2.0, 3.0]]), "bias": jnp.zeros(2)}}
    np.testing.assert_allclose(analysis.kernel_entries(params), [0, 1e-4, 2, 3])
    assert analysis.share_of_zeros(analysis.kernel_entries(params)) == 0.5
