"""Logistic regression: the gradient by hand, and scikit-learn's optimum."""

import jax
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
    one = Neuron(np.float32([[3.0], [-2.0]]), np.float32([1.0]))
    x = np.float32([[-1.0, 2.0]])
    z, a = jax.jit(lambda *given: (neuron.scores(*given), regression.forward(*given)))(one, x)
    assert z.item() == -6.0
    assert a.item() == pytest.approx(1 / (1 + np.e**6), rel=1e-5)
    assert f"{a.item():.3f}" == "0.002"


@pytest.mark.parametrize(("outputs", "multinomial"), [(1, False), (3, False), (3, True), (2, True)])
def test_hand_gradient_is_jax_grad(outputs, multinomial) -> None:
    """Without a penalty and with one."""
    random = np.random.default_rng(5)
    x, labels = normal(random, 17, 5), random.integers(max(outputs, 2), size=17)
    weights = Neuron(normal(random, 5, outputs), normal(random, outputs))

    @jax.jit
    def by_hand_and_by_jax(weights, x, labels) -> list:
        y = neuron.targets(labels, outputs)
        return [
            (
                regression.gradient(weights, x, y, l2=l2, multinomial=multinomial),
                jax.grad(regression.cost)(weights, x, y, l2=l2, multinomial=multinomial),
            )
            for l2 in (0.0, 5.0)
        ]

    for by_hand, by_jax in by_hand_and_by_jax(weights, x, labels):
        np.testing.assert_allclose(by_hand.w, by_jax.w, atol=1e-6)
        np.testing.assert_allclose(by_hand.b, by_jax.b, atol=1e-6)


def test_cross_entropy_is_the_negative_log_likelihood() -> None:
    """COURSE's "costs": deck 000's likelihood, from SciPy's Bernoulli."""
    x, y = normal(np.random.default_rng(6), 11, 3), np.arange(11) % 2
    weights = Neuron(np.float32([[0.3], [-1.2], [2.0]]), np.float32([0.1]))

    @jax.jit
    def activations_and_losses(weights, x, y) -> tuple:
        return regression.forward(weights, x), regression.losses(weights, x, neuron.targets(y, 1))

    a, losses = activations_and_losses(weights, x, y)
    likelihood = stats.bernoulli(np.asarray(a, np.float64).ravel())
    np.testing.assert_allclose(losses, -likelihood.logpmf(y), rtol=1e-4)


def test_two_classes_softmax_is_the_sigmoid_of_the_difference() -> None:
    random = np.random.default_rng(7)
    x, two = normal(random, 11, 3), Neuron(normal(random, 3, 2), np.float32([0.5, -0.5]))
    one = Neuron(two.w[:, 1:] - two.w[:, :1], two.b[1:] - two.b[:1])

    @jax.jit
    def softmax_and_sigmoid(two, one, x) -> tuple:
        return regression.forward(two, x, multinomial=True), regression.forward(one, x)

    softmax, sigmoid = map(np.asarray, softmax_and_sigmoid(two, one, x))
    np.testing.assert_allclose(softmax[:, 1], sigmoid[:, 0], rtol=1e-5)


def normal(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.standard_normal(shape, np.float32)


def standardised(data) -> tuple[np.ndarray, np.ndarray]:
    x = data.data.astype(np.float64)
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    return x, data.target


def fit(learner, x, y, steps) -> tuple:
    """The last state, what each step measured with the weights after it, and an evaluation."""
    batch = {"image": x, "label": np.asarray(y, np.int32), "mask": np.ones(len(y))}
    key = jax.random.key(0)

    @jax.jit
    def run(batch) -> tuple:
        def step(state, _) -> tuple:
            state, values = learner.step(state, batch, key)
            return state, values | {"weights": state.neuron.params.w}

        state, values = jax.lax.scan(step, learner.init(key, batch), None, steps)
        return state, values, learner.evaluate(state, batch)

    return jax.device_get(run(batch))


def test_the_optimum_is_scikit_learns_on_breast_cancer() -> None:
    x, y = standardised(datasets.load_breast_cancer())
    theirs = linear_model.LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(x, y)
    with jax.enable_x64(True):
        learner = learners.logistic_regression(2, 0.5, l2=1 / 0.5, tolerance=1e-13)
        state, values, evaluated = fit(learner, x, y, 6000)
    assert bool(state.settled)
    np.testing.assert_allclose(state.neuron.params.w[:, 0], theirs.coef_[0], atol=1e-4)
    np.testing.assert_allclose(state.neuron.params.b, theirs.intercept_, atol=1e-4)
    assert evaluated["accuracy"].value == pytest.approx(theirs.score(x, y), abs=1e-6)
    # Gradient descent on a convex cost, its rate below 2 over the curvature: never up.
    assert np.all(np.diff(values["cost"].total) <= 1e-7)


@pytest.mark.parametrize("multinomial", [False, True])
def test_digits(multinomial) -> None:
    x, y = (part[:500] for part in standardised(datasets.load_digits()))
    with jax.enable_x64(True):
        learner = learners.logistic_regression(
            10, 0.5, l2=100.0, multinomial=multinomial, tolerance=1e-13
        )
        state, _, evaluated = fit(learner, x, y, 1000)
    assert bool(state.settled)
    model = linear_model.LogisticRegression(C=0.01, max_iter=1000, tol=1e-8)
    if multinomial:
        model.fit(x, y)
        weights = model.coef_
    else:  # ten regressions of one digit against the rest
        weights = np.concatenate([model.fit(x, y == digit).coef_ for digit in range(10)])
    np.testing.assert_allclose(state.neuron.params.w.T, weights, atol=1e-4)
    assert evaluated["accuracy"].value > 0.95


@pytest.fixture(scope="module")
def settled() -> tuple:
    """A learner whose cost settles long before the last of 1000 steps, and its run."""
    learner = learners.logistic_regression(2, 0.5, tolerance=1e-4)
    return learner, *fit(learner, *standardised(datasets.load_breast_cancer()), 1000)


def test_it_stops_when_the_cost_settles(settled) -> None:
    _, _, values, _ = settled
    stop = int(np.argmax(values["settled"].total))
    assert 10 < stop < 900
    assert np.all(values["settled"].total[stop:] == 1)  # once settled it stays so
    np.testing.assert_array_equal(values["weights"][-1], values["weights"][stop])


def test_padding_does_not_count(settled) -> None:
    x, y = standardised(datasets.load_breast_cancer())
    learner, state, _, whole = settled
    evaluate = jax.jit(learner.evaluate)
    parts = [
        evaluate(
            state,
            {
                "image": np.resize(x[i : i + 200], (200, 30)),
                "label": np.resize(y[i : i + 200], 200).astype(np.int32),
                "mask": np.arange(200) < len(x) - i,
            },
        )
        for i in (0, 200, 400)
    ]
    for name, value in whole.items():
        total = jax.tree.map(lambda *sums: np.sum(sums), *(part[name] for part in parts))
        assert total.weight == 569
        assert total.value == pytest.approx(float(value.value), rel=1e-5)
