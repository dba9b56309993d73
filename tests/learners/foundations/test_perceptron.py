"""Rosenblatt's rule: the convergence theorem where it holds, and XOR where it does not."""

import functools

import flax.linen as nn
import jax
import numpy as np
import pytest
from sklearn import datasets, linear_model

from dlcourse import learners
from dlcourse.models.foundations import initializers

CORNERS = np.float32([[0, 0], [0, 1], [1, 0], [1, 1]])
GATES = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]}
TWO_CLASSES = learners.perceptron(2)


def batch_of(x, labels) -> dict:
    labels = np.asarray(labels, np.int32)
    return {"image": np.asarray(x), "label": labels, "mask": np.ones(len(labels), np.float32)}


@functools.partial(jax.jit, static_argnums=(0, 3))
def compiled_epochs(learner, key, batch, count) -> tuple:
    def epoch(state, _) -> tuple:
        state, values = learner.step(state, batch, key)
        return state, (state, values["mistakes"].value)

    return jax.lax.scan(epoch, learner.init(key, batch), None, count)[1]


def epochs(learner, key, batch, count) -> tuple:
    """The states after each pass over the batch, and the share of mistakes during it."""
    return jax.device_get(compiled_epochs(learner, key, batch, count))


def last_of(states):
    return jax.tree.map(lambda a: a[-1], states)


def novikoff(x, labels, w) -> float:
    """(R / gamma)^2 for the separator w of the augmented examples (x, 1)."""
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    margins = (2 * np.asarray(labels) - 1) * (x @ w) / np.linalg.norm(w)
    assert margins.min() > 0  # it does separate
    return (np.linalg.norm(x, axis=1).max() / margins.min()) ** 2


@pytest.mark.parametrize(("gate", "w"), [("and", [1.0, 1.0, -1.5]), ("or", [1.0, 1.0, -0.5])])
def test_learns_the_gate_within_the_bound(key, gate, w) -> None:
    batch = batch_of(CORNERS, GATES[gate])
    states, mistakes = epochs(TWO_CLASSES, key, batch, 100)
    assert np.all(mistakes[49:] == 0)
    assert states.mistakes[-1].sum() <= novikoff(CORNERS, GATES[gate], np.array(w))
    evaluated = jax.jit(TWO_CLASSES.evaluate)(last_of(states), batch)
    assert evaluated["accuracy"].value.item() == 1


@pytest.mark.parametrize("seed", range(5))
def test_separable_data_within_the_bound(seed) -> None:
    random = np.random.default_rng(seed)
    w = np.append(random.normal(size=3), 0.3)
    x = random.normal(size=(600, 3)).astype(np.float32)
    scores = np.concatenate([x, np.ones((600, 1))], axis=1) @ w / np.linalg.norm(w)
    clear = np.flatnonzero(np.abs(scores) > 0.2)[:400]  # a margin, known because we made it
    x, labels = x[clear], (scores[clear] > 0).astype(int)
    assert len(x) == 400
    states, mistakes = epochs(TWO_CLASSES, jax.random.key(0), batch_of(x, labels), 100)
    assert mistakes[-1] == 0
    assert 0 < states.mistakes[-1].sum() <= novikoff(x, labels, w)


def test_weights_to_begin_with_cost_what_the_bound_allows(key):
    """Two points a unit step apart, and weights of -100 to climb out of: the plain bound is 2."""
    x, labels = np.array([[1.0], [-1.0]], np.float32), np.array([1, 0])
    batch = batch_of(x, labels)
    learner = learners.perceptron(2, kernel_init=nn.initializers.constant(-100.0))
    start = jax.jit(learner.init)(key, batch)
    states, mistakes = epochs(learner, key, batch, 100)
    assert mistakes[-1] == 0
    plain, allowed = (learners.mistake_bound(x, labels, of) for of in (None, start.neuron.params))
    assert plain == pytest.approx(2, rel=1e-3)
    assert plain < states.mistakes[-1].sum() <= allowed == pytest.approx(202, rel=1e-3)


def test_the_bound_is_novikoffs_for_and():
    """The widest line of AND is x1 + x2 = 1.5; R^2 = 3 and gamma^2 = 0.25 / 4.25."""
    bound = learners.mistake_bound(CORNERS, np.array(GATES["and"]))
    assert bound == pytest.approx(3 * 4.25 / 0.25, rel=1e-2)


def test_no_bound_without_a_line():
    assert learners.mistake_bound(CORNERS, np.array(GATES["xor"])) == np.inf


def test_xor_never_converges(key) -> None:
    """The weights after an epoch repeat while mistakes go on: it will cycle for ever."""
    states, mistakes = epochs(TWO_CLASSES, key, batch_of(CORNERS, GATES["xor"]), 100)
    assert np.all(mistakes > 0)
    seen = {(*w.ravel().tolist(), *b.tolist()) for w, b in zip(*states.neuron.params, strict=True)}
    assert len(seen) < 100


def test_one_step_by_hand(key) -> None:
    """w := w + alpha (y - o) x, on one wrong example and one right one."""
    learner = learners.perceptron(2, 0.5)
    batch = batch_of(np.float32([[2, -3], [1, 1]]), [1, 0])
    state, values = jax.device_get(
        jax.jit(lambda batch: learner.step(learner.init(key, batch), batch, key))(batch)
    )
    # The first: o = 0, y = 1, so w = .5 (2, -3), b = .5. The second: 1 - 1.5 + .5 = 0, o = 0.
    np.testing.assert_array_equal(state.neuron.params.w[:, 0], [1.0, -1.5])
    np.testing.assert_array_equal(state.neuron.params.b, [0.5])
    np.testing.assert_array_equal(state.mistakes, [1])
    assert values["mistakes"].value == 0.5


def test_batch_size_changes_nothing(key) -> None:
    random = np.random.default_rng(0)
    x, labels = random.standard_normal((12, 5), np.float32), random.integers(3, size=12)
    learner = learners.perceptron(3, kernel_init=initializers.small_normal)
    init, step = jax.jit(learner.init), jax.jit(learner.step)
    start = init(key, batch_of(x, labels))
    whole, _ = step(start, batch_of(x, labels), key)
    assert np.any(np.asarray(whole.mistakes))
    pieces = start
    for i in range(0, 12, 4):
        pieces, _ = step(pieces, batch_of(x[i : i + 4], labels[i : i + 4]), key)
    jax.tree.map(np.testing.assert_array_equal, pieces, whole)


def test_digits_one_against_the_rest(key) -> None:
    """As good as scikit-learn's perceptron, within what the order of the examples moves."""
    x, y = datasets.load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    batch, test = batch_of(x[:1200], y[:1200]), batch_of(x[1200:], y[1200:])
    learner = learners.perceptron(10)
    states, _ = epochs(learner, key, batch, 30)
    theirs = linear_model.Perceptron(shuffle=False, max_iter=30, tol=None).fit(x[:1200], y[:1200])
    ours = jax.jit(learner.evaluate)(last_of(states), test)["accuracy"].value.item()
    assert ours == pytest.approx(theirs.score(x[1200:], y[1200:]), abs=0.03)
    assert ours > 0.85
