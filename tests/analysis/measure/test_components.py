"""Principal components, against scikit-learn's."""

import numpy as np
import sklearn.decomposition

from dlcourse import analysis


def test_reconstructions_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    train, test = (random.normal(size=(n, 3, 5, 1)) * np.arange(1, 6)[:, None] for n in (50, 7))
    components = analysis.principal_components(train)
    for count in (1, 4, 15):
        oracle = sklearn.decomposition.PCA(count).fit(train.reshape(50, 15))
        expected = oracle.inverse_transform(oracle.transform(test.reshape(7, 15)))
        found = components.reconstruct(test, count)
        np.testing.assert_allclose(found.reshape(7, 15), expected, atol=1e-10)
        error = ((expected - test.reshape(7, 15)) ** 2).mean(axis=1)
        np.testing.assert_allclose(components.error(test, count), error, atol=1e-10)
