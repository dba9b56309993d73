"""Rosenblatt's rule: the convergence theorem where it holds, and XOR where it does not."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import datasets, linear_model

from dlcourse import learners
from dlcourse.models.foundations import initializers

CORNERS = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
GATES = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]}


def batch_of(x, labels) -> dict:
    labels = jnp.asarray(labels, jnp.int32)
    return {"image": jnp.asarray(x), "label": labels, "mask": jnp.ones(len(labels))}


def epochs(learner, state, batch, count) -> tuple:
    """The states after each pass over the batch, and the share of mistakes during it."""

    def epoch(state, _) -> tuple:
        state, values = learner.step(state, batch, jax.random.key(0))
        return state, (state, values["mistakes"].value)

    return jax.jit(lambda s: jax.lax.scan(epoch, s, None, count))(state)[1]


def novikoff(x, labels, w) -> float:
    """(R / gamma)^2 for the separator w of the augmented examples (x, 1)."""
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    margins = (2 * np.asarray(labels) - 1) * (x @ w) / np.linalg.norm(w)
    assert margins.min() > 0  # it does separate
    return (np.linalg.norm(x, axis=1).max() / margins.min()) ** 2


@pytest.mark.parametrize(("gate", "w"), [("and", [1.0, 1.0, -1.5]), ("or", [1.0, 1.0, -0.5])])
def test_learns_the_gate_within_the_bound(key, gate, w) -> None:
    batch = batch_of(CORNERS, GATES[gate])
    learner = learners.perceptron(2)
    states, mistakes = epochs(learner, learner.init(key, batch), batch, 50)
    assert mistakes[-1] == 0
    assert states.mistakes[-1].sum() <= novikoff(CORNERS, GATES[gate], np.array(w))
    last = jax.tree.map(lambda a: a[-1], states)
    assert learner.evaluate(last, batch)["accuracy"].value == 1


@pytest.mark.parametrize("seed", range(5))
def test_separable_data_within_the_bound(seed) -> None:
    random = np.random.default_rng(seed)
    w = np.append(random.normal(size=3), 0.3)
    x = random.normal(size=(400, 3)).astype(np.float32)
    scores = np.concatenate([x, np.ones((400, 1))], axis=1) @ w / np.linalg.norm(w)
    clear = np.abs(scores) > 0.2  # a margin, known because we made it
    x, labels = x[clear], (scores[clear] > 0).astype(int)
    batch = batch_of(x, labels)
    learner = learners.perceptron(2)
    states, mistakes = epochs(learner, learner.init(jax.random.key(0), batch), batch, 100)
    assert mistakes[-1] == 0
    assert 0 < states.mistakes[-1].sum() <= novikoff(x, labels, w)


def test_weights_to_begin_with_cost_what_the_bound_allows(key):
    """Two points a unit step apart, and weights of -100 to climb out of: the plain bound is 2."""
    x, labels = np.array([[1.0], [-1.0]], np.float32), np.array([1, 0])
    batch = batch_of(x, labels)
    learner = learners.perceptron(2, kernel_init=nn.initializers.constant(-100.0))
    start = learner.init(key, batch)
    states, mistakes = epochs(learner, start, batch, 100)
    assert mistakes[-1] == 0
    plain, allowed = (learners.mistake_bound(x, labels, of) for of in (None, start.neuron.params))
    assert plain == pytest.approx(2, rel=1e-3)
    assert plain < states.mistakes[-1].sum() <= allowed == pytest.approx(202, rel=1e-3)


def test_the_bound_is_novikoffs_for_and():
    """The widest line of AND is x1 + x2 = 1.5; R^2 = 3 and gamma^2 = 0.25 / 4.25."""
    bound = learners.mistake_bound(np.asarray(CORNERS), np.array(GATES["and"]))
    assert bound == pytest.approx(3 * 4.25 / 0.25, rel=1e-2)


def test_no_bound_without_a_line():
    assert learners.mistake_bound(np.asarray(CORNERS), np.array(GATES["xor"])) == np.inf


def test_xor_never_converges(key) -> None:
    """The weights after an epoch repeat while mistakes go on: it will cycle for ever."""
    batch = batch_of(CORNERS, GATES["xor"])
    learner = learners.perceptron(2)
    states, mistakes = epochs(learner, learner.init(key, batch), batch, 100)
    assert jnp.all(mistakes > 0)
    seen = {(*w.ravel().tolist(), *b.tolist()) for w, b in zip(*states.neuron.params, strict=True)}
    assert len(seen) < 100


def test_one_step_by_hand(key) -> None:
    """w := w + alpha (y - o) x, on one wrong example and one right one."""
    learner = learners.perceptron(2, 0.5)
    batch = batch_of([[2.0, -3.0], [1.0, 1.0]], [1, 0])
    state, values = learner.step(learner.init(key, batch), batch, key)
    # The first: o = 0, y = 1, so w = .5 (2, -3), b = .5. The second: 1 - 1.5 + .5 = 0, o = 0.
    np.testing.assert_array_equal(state.neuron.params.w[:, 0], [1.0, -1.5])
    np.testing.assert_array_equal(state.neuron.params.b, [0.5])
    np.testing.assert_array_equal(state.mistakes, [1])
    assert values["mistakes"].value == 0.5


def test_batch_size_changes_nothing(key) -> None:
    x = jax.random.normal(key, (12, 5))
    labels = jax.random.randint(key, (12,), 0, 3)
    learner = learners.perceptron(3, kernel_init=initializers.small_normal)
    start = whole = learner.init(key, batch_of(x, labels))
    whole, _ = learner.step(whole, batch_of(x, labels), key)
    pieces = start
    for i in range(0, 12, 4):
        pieces, _ = learner.step(pieces, batch_of(x[i : i + 4], labels[i : i + 4]), key)
    jax.tree.map(np.testing.assert_array_equal, pieces, whole)


def test_digits_one_against_the_rest(key) -> None:
    """As good as scikit-learn's perceptron, within what the order of the examples moves."""
    x, y = datasets.load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    batch, test = batch_of(x[:1200], y[:1200]), batch_of(x[1200:], y[1200:])
    learner = learners.perceptron(10)
    states, _ = epochs(learner, learner.init(key, batch), batch, 30)
    last = jax.tree.map(lambda a: a[-1], states)
    theirs = linear_model.Perceptron(shuffle=False, max_iter=30, tol=None).fit(x[:1200], y[:1200])
    ours = learner.evaluate(last, test)["accuracy"].value
    assert ours == pytest.approx(theirs.score(x[1200:], y[1200:]), abs=0.03)
    assert ours > 0.85
