"""Deletion curves against closed forms and against every order."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import analysis

FEATURES = 5


def relu_network(x) -> jax.Array:
    """Kinks along the way, with weights of the size that networks have."""
    first, last = jax.random.split(jax.random.key(4))
    x = x.reshape(len(x), -1)
    hidden = jax.nn.relu(x @ jax.random.normal(first, (x.shape[1], 23)) / x.shape[1] ** 0.5)
    return (hidden @ jax.random.normal(last, (23, 1)))[:, 0] / 23**0.5


@pytest.fixture
def pictures() -> jax.Array:
    return jax.random.uniform(jax.random.key(2), (3, 5, 7, 1))


def test_deletion_runs_from_the_whole_example_to_the_baseline(pictures) -> None:
    baseline = jnp.full(pictures.shape[1:], 0.3)
    curve = analysis.deletion_curve(relu_network, pictures, pictures, baseline, points=11)
    assert curve.share[0] == 0
    assert curve.share[-1] == 1
    assert curve.outputs.shape == (3, 11)
    np.testing.assert_allclose(curve.outputs[:, 0], relu_network(pictures), rtol=1e-5)
    np.testing.assert_allclose(curve.outputs[:, -1], relu_network(baseline[None])[0], rtol=1e-5)


def test_the_largest_go_first_one_by_one() -> None:
    weights = jnp.array([1.0, 4.0, 2.0])
    curve = analysis.deletion_curve(
        lambda x: x @ weights, jnp.ones((1, 3)), weights[None], jnp.zeros(3), points=4
    )
    np.testing.assert_allclose(curve.outputs, [[7, 3, 1, 0]])
    np.testing.assert_allclose(curve.area, [(7 / 2 + 3 + 1 + 0) / 3])


def test_no_order_of_a_linear_model_has_less_area_than_its_attributions() -> None:
    weights = jnp.array([0.5, -1.0, 2.0, 0.1, -0.3])
    baseline = jnp.zeros(FEATURES)

    def areas(values) -> np.ndarray:
        return analysis.deletion_curve(
            lambda x: x @ weights, jnp.ones_like(values), values, baseline, points=FEATURES + 1
        ).area

    values = analysis.integrated_gradients(lambda x: x @ weights, jnp.ones((1, FEATURES)), baseline)
    orders = jnp.array(list(itertools.permutations(range(FEATURES))), jnp.float32)
    best = areas(orders).min()
    assert areas(values)[0] == pytest.approx(best)
    assert areas(-values)[0] > best + 1
