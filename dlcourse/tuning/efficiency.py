"""How good the best of k trials is: the efficiency curve of a method (Bergstra and Bengio, 2012).

Of n trials whose order means nothing, any k are as likely to come first as any other. With the
values sorted, x_1 <= ... <= x_n, the best of k is at most x_i with probability

    P(best of k <= x_i) = C(i, k) / C(n, k)

so its mean and its quantiles need no repeated searches.
"""

import numpy as np
from jaxtyping import Float


def expected_best(values: Float[np.ndarray, " trials"]) -> Float[np.ndarray, " trials"]:
    """The mean of the largest of k of these values, for k = 1, ..., n."""
    steps = np.diff(_at_most(len(values)), axis=1, prepend=0.0)
    return steps @ np.sort(values)


def quantile_best(
    values: Float[np.ndarray, " trials"], probability: float
) -> Float[np.ndarray, " trials"]:
    """What the largest of k of these values does not exceed with this probability."""
    reached = _at_most(len(values)) >= probability - 1e-12
    return np.sort(values)[reached.argmax(axis=1)]


def _at_most(n: int) -> Float[np.ndarray, "n n"]:
    """P(best of k <= x_i), a row for each k and a column for each i."""
    j, i = np.arange(n)[:, None], np.arange(1, n + 1)[None, :]
    # C(i, k) / C(n, k) is the product of (i - j) / (n - j) over j < k.
    return np.cumprod(np.maximum(i - j, 0) / (n - j), axis=0)
