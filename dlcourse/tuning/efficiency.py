"""The efficiency curve of a search: the best of k trials (Bergstra and Bengio, 2012).

If the order of n trials is exchangeable, every subset of k is equally likely to come first. With
sorted values x_1 <= ... <= x_n, the best of k trials has the distribution

    P(best of k <= x_i) = C(i, k) / C(n, k)

so its mean and quantiles follow from one search, without repetitions.
"""

import numpy as np
from jaxtyping import Float


def expected_best(values: Float[np.ndarray, " trials"]) -> Float[np.ndarray, " trials"]:
    """The expected maximum of k of the values, for k = 1, ..., n."""
    steps = np.diff(_at_most(len(values)), axis=1, prepend=0.0)
    return steps @ np.sort(values)


def quantile_best(
    values: Float[np.ndarray, " trials"], probability: float
) -> Float[np.ndarray, " trials"]:
    """The quantile of the maximum of k of the values, for k = 1, ..., n."""
    reached = _at_most(len(values)) >= probability - 1e-12
    return np.sort(values)[reached.argmax(axis=1)]


def _at_most(n: int) -> Float[np.ndarray, "n n"]:
    """P(best of k <= x_i), with a row for each k and a column for each i."""
    j, i = np.arange(n)[:, None], np.arange(1, n + 1)[None, :]
    # C(i, k) / C(n, k) is the product of (i - j) / (n - j) over j < k.
    return np.cumprod(np.maximum(i - j, 0) / (n - j), axis=0)
