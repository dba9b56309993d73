"""A linear model on polynomial features."""

import itertools
from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float


class Polynomial(nn.Module):
    """One polynomial for each output, linear in the weights.

        f(x) = W m(x) + b,    m(x) = all monomials x_1^p_1 ... x_d^p_d of degree 1 to `degree`

    There are C(d + degree, degree) - 1 monomials, for example 20 for two inputs and degree 5.
    Degree 1 gives a linear model, and with cross-entropy logistic regression.

    Attributes:
        degree: the highest degree of a monomial.
        outputs: the number of polynomials.
    """

    degree: int
    outputs: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch inputs"], *, train: bool = False
    ) -> Float[Array, "batch outputs"]:
        del train
        return nn.Dense(self.outputs)(monomials(x, self.degree))


def monomials(x: Float[Array, "batch inputs"], degree: int) -> Float[Array, "batch monomials"]:
    """All products of 1 to `degree` inputs, in order of degree.

    The order is that of scikit-learn's `PolynomialFeatures` without the constant.
    """
    columns: Sequence[int] = range(x.shape[1])
    factors = (
        chosen
        for size in range(1, degree + 1)
        for chosen in itertools.combinations_with_replacement(columns, size)
    )
    return jnp.stack([jnp.prod(x[:, list(chosen)], axis=1) for chosen in factors], axis=1)
