"""Polynomial features are scikit-learn's."""

import math

import jax
import numpy as np
import pytest
from sklearn.preprocessing import PolynomialFeatures

from dlcourse import models
from dlcourse.models.foundations.polynomial import monomials
from tests.models.variables import drawn


@pytest.mark.parametrize(("inputs", "degree"), [(2, 5), (3, 2), (1, 4), (5, 1)])
def test_the_monomials_are_those_of_scikit_learn(inputs, degree):
    x = np.random.default_rng(0).normal(size=(7, inputs)).astype(np.float32)
    features = jax.jit(monomials, static_argnums=1)(x, degree)
    expected = PolynomialFeatures(degree, include_bias=False).fit_transform(x)
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    assert features.shape[1] == math.comb(inputs + degree, degree) - 1


def test_of_degree_one_it_is_linear():
    x = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    model = models.Polynomial(1, 3)
    variables = drawn(model, x)
    dense = variables["params"]["Dense_0"]
    expected = x @ dense["kernel"] + dense["bias"]
    np.testing.assert_allclose(jax.jit(model.apply)(variables, x), expected, rtol=1e-5, atol=1e-6)
