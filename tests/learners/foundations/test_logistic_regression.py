"""Logistic regression: the gradient by hand, and scikit-learn's optimum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn import datasets, linear_model

from dlcourse import learners
from dlcourse.models.foundations import logistic_regression as regression
from dlcourse.models.foundations import neuron
from dlcourse.models.foundations.neuron import Neuron


def test_worked_forward_pass() -> None:
    """Deck 002: w0 = 1, w = (3, -2), x = (-1, 2) gives g(-6), about 0.002."""
    one = Neuron(jnp.array([[3.0], [-2.0]]), jnp.array([1.0]))
    x = jnp.array([[-1.0, 2.0]])
    assert neuron.scores(one, x).item() == -6.0
    a = regression.forward(one, x).item()
    assert a == pytest.approx(1 / (1 + np.e**6), rel=1e-5)
    assert f"{a:.3f}" == "0.002"


@pytest.mark.parametrize(("outputs", "multinomial"), [(1, False), (3, False), (3, True), (2, True)])
@pytest.mark.parametrize("l2", [0.0, 5.0])
def test_hand_gradient_is_jax_grad(outputs, multinomial, l2) -> None:
    keys = jax.random.split(jax.random.key(5), 4)
    x = jax.random.normal(keys[0], (17, 5))
    y = neuron.targets(jax.random.randint(keys[1], (17,), 0, max(outputs, 2)), outputs)
    weights = Neuron(
        jax.random.normal(keys[2], (5, outputs)), jax.random.normal(keys[3], (outputs,))
    )
    by_hand = regression.gradient(weights, x, y, l2=l2, multinomial=multinomial)
    by_jax = jax.grad(regression.cost)(weights, x, y, l2=l2, multinomial=multinomial)
    np.testing.assert_allclose(by_hand.w, by_jax.w, atol=1e-6)
    np.testing.assert_allclose(by_hand.b, by_jax.b, atol=1e-6)


def test_cross_entropy_is_the_negative_log_likelihood() -> None:
    """COURSE's "costs": deck 000's likelihood, from SciPy's Bernoulli."""
    x = jax.random.normal(jax.random.key(6), (11, 3))
    y = jnp.arange(11) % 2
    weights = Neuron(jnp.array([[0.3], [-1.2], [2.0]]), jnp.array([0.1]))
    a = regression.forward(weights, x)[:, 0]
    np.testing.assert_allclose(
        regression.losses(weights, x, neuron.targets(y, 1)),
        -stats.bernoulli(np.asarray(a, np.float64)).logpmf(y),
        rtol=1e-4,
    )


def test_two_classes_softmax_is_the_sigmoid_of_the_difference() -> None:
    x = jax.random.normal(jax.random.key(7), (11, 3))
    two = Neuron(jax.random.normal(jax.random.key(8), (3, 2)), jnp.array([0.5, -0.5]))
    one = Neuron(two.w[:, 1:] - two.w[:, :1], two.b[1:] - two.b[:1])
    np.testing.assert_allclose(
        regression.forward(two, x, multinomial=True)[:, 1],
        regression.forward(one, x)[:, 0],
        rtol=1e-5,
    )


def standardised(data) -> tuple[np.ndarray, np.ndarray]:
    x = data.data.astype(np.float64)
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    return x, data.target


def fit(learner, x, y, steps) -> tuple:
    batch = {"image": jnp.asarray(x), "label": jnp.asarray(y, jnp.int32)}
    key = jax.random.key(0)
    state = learner.init(key, batch)
    state, values = jax.jit(
        lambda state: jax.lax.scan(lambda s, _: learner.step(s, batch, key), state, None, steps)
    )(state)
    return state, values, batch | {"mask": jnp.ones(len(y))}


def test_the_optimum_is_scikit_learns_on_breast_cancer() -> None:
    x, y = standardised(datasets.load_breast_cancer())
    theirs = linear_model.LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(x, y)
    with jax.enable_x64(True):
        learner = learners.logistic_regression(2, 0.5, l2=1 / 0.5, tolerance=1e-13)
        state, values, batch = fit(learner, x, y, 20_000)
        assert bool(state.settled)
        np.testing.assert_allclose(state.neuron.params.w[:, 0], theirs.coef_[0], atol=1e-4)
        np.testing.assert_allclose(state.neuron.params.b, theirs.intercept_, atol=1e-4)
        accuracy = learner.evaluate(state, batch)["accuracy"].value
        assert accuracy == pytest.approx(theirs.score(x, y), abs=1e-6)
        # Gradient descent on a convex cost, its rate below 2 over the curvature: never up.
        assert jnp.all(jnp.diff(values["cost"].total) <= 1e-7)


@pytest.mark.parametrize("multinomial", [False, True])
def test_digits(multinomial) -> None:
    x, y = (part[:500] for part in standardised(datasets.load_digits()))
    with jax.enable_x64(True):
        learner = learners.logistic_regression(
            10, 0.5, l2=100.0, multinomial=multinomial, tolerance=1e-13
        )
        state, _, batch = fit(learner, x, y, 2000)
        accuracy = learner.evaluate(state, batch)["accuracy"].value
    model = linear_model.LogisticRegression(C=0.01, max_iter=1000, tol=1e-8)
    if multinomial:
        model.fit(x, y)
        weights = model.coef_
    else:  # ten regressions of one digit against the rest
        weights = np.concatenate([model.fit(x, y == digit).coef_ for digit in range(10)])
    np.testing.assert_allclose(state.neuron.params.w.T, weights, atol=1e-4)
    assert accuracy > 0.95


def test_it_stops_when_the_cost_settles() -> None:
    x, y = standardised(datasets.load_breast_cancer())
    learner = learners.logistic_regression(2, 0.5, tolerance=1e-4)
    short, values, _ = fit(learner, x, y, 1000)
    settled = np.asarray(values["settled"].total)
    stop = int(np.argmax(settled))
    assert 10 < stop < 900
    assert np.all(settled[stop:] == 1)  # once settled it stays so
    longer, _, _ = fit(learner, x, y, stop + 1)
    np.testing.assert_array_equal(short.neuron.params.w, longer.neuron.params.w)


def test_padding_does_not_count() -> None:
    x, y = standardised(datasets.load_breast_cancer())
    learner = learners.logistic_regression(2, 0.5)
    state, _, batch = fit(learner, x, y, 50)
    whole = learner.evaluate(state, batch)
    parts = [
        learner.evaluate(
            state,
            {
                "image": jnp.asarray(np.resize(x[i : i + 200], (200, 30))),
                "label": jnp.asarray(np.resize(y[i : i + 200], 200), jnp.int32),
                "mask": jnp.arange(200) < len(x) - i,
            },
        )
        for i in (0, 200, 400)
    ]
    for name, value in whole.items():
        total = jax.tree.map(lambda *sums: sum(sums), *(part[name] for part in parts))
        assert total.weight == 569
        assert total.value == pytest.approx(float(value.value), rel=1e-5)
