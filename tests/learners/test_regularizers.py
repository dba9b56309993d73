"""Penalties on the weights against solutions in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import analysis, learners, losses, models, optim
from dlcourse.learner import Rule

M = 23


def fitted(x, y, optimizer, regularizer=None, steps=3000):
    """The kernel of a linear model without its bias, which is held at 0."""
    model = models.MLP((1,))
    learner = learners.supervised(
        model,
        losses.squared_error,
        Rule(optim.freeze(optimizer, "bias")),
        inputs="x",
        target="y",
        metrics_of={},
        regularizer=regularizer,
    )
    batch = {"x": jnp.asarray(x, jnp.float32), "y": jnp.asarray(y, jnp.float32)[:, None]}
    key = jax.random.key(0)

    def step(state, _):
        return learner.step(state, batch, key)[0], None

    state, _ = jax.jit(lambda s: jax.lax.scan(step, s, None, length=steps))(
        learner.init(key, batch)
    )
    return np.asarray(state.params["Dense_0"]["kernel"])[:, 0], state.params


@pytest.fixture
def regression():
    random = np.random.default_rng(0)
    x = random.normal(size=(M, 5))
    return x, x @ [2.0, -1.0, 0.0, 0.1, 0.5] + 0.1 * random.normal(size=M)


def test_l2_is_ridge_regression(regression):
    """`argmin 1/m ‖y - Xw‖² + λ/2m ‖w‖²  =  (XᵀX + λ/2 I)⁻¹ Xᵀy`."""
    x, y = regression
    w, _ = fitted(x, y, optim.sgd(0.1), lambda params: 30.0 / M * losses.l2(params))
    np.testing.assert_allclose(w, np.linalg.solve(x.T @ x + 15 * np.eye(5), x.T @ y), atol=1e-4)


def test_l1_is_soft_thresholding(regression):
    """With orthonormal columns `w_j = sign(c_j) max(|c_j| - λ/2, 0)`, `c = Xᵀy`."""
    x, y = regression
    x, _ = np.linalg.qr(x)
    c = x.T @ y
    threshold = np.sort(np.abs(c))[2] + 0.1  # three of the five are to vanish
    rate = optim.cosine_decay(1.0, 5000)
    penalty = lambda params: 2 * threshold / M * losses.l1(params)  # noqa: E731
    w, params = fitted(x, y, optim.sgd(rate), penalty, steps=5000)
    np.testing.assert_allclose(w, np.sign(c) * np.maximum(np.abs(c) - threshold, 0), atol=1e-3)
    assert analysis.share_of_zeros(analysis.kernel_entries(params)) == 0.6
    unpenalised, params = fitted(x, y, optim.sgd(rate), steps=5000)
    np.testing.assert_allclose(unpenalised, c, atol=1e-3)
    assert analysis.share_of_zeros(analysis.kernel_entries(params)) == 0.0
