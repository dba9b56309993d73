"""The decks' recurrences against `jax.grad`, and deck 002's example figure by figure."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import learners, losses, models
from dlcourse.models.foundations import activations, initializers
from dlcourse.models.foundations.activations import ACTIVATIONS
from dlcourse.models.foundations.backpropagation import (
    Layer,
    Pass,
    backward,
    cross_entropy,
    descend,
    forward,
    half_squared_error,
    initial_layers,
)

XOR_X = jnp.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
XOR_Y = jnp.array([[0.0, 1.0, 1.0, 0.0]])


@pytest.mark.parametrize(
    ("sizes", "hidden"),
    [
        ((5, 3), "tanh"),  # without a hidden layer
        ((5, 7, 1), "tanh"),
        *(((5, 7, 3, 2), g) for g in ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "swish")),
    ],
)
def test_equals_jax_grad_in_float64(sizes, hidden) -> None:
    with jax.enable_x64(True):
        random = np.random.default_rng(3)
        # Biases away from zero, or a forgotten one would not show.
        layers = [
            Layer(random.normal(size=(n, m)) / m**0.5, random.normal(size=(n, 1)))
            for m, n in itertools.pairwise(sizes)
        ]
        X = random.normal(size=(sizes[0], 13))
        Y = random.integers(0, 2, (sizes[-1], 13)).astype(float)
        g = ACTIVATIONS[hidden]

        @jax.jit
        def gradients(layers, X, Y) -> tuple[list[Layer], list[Layer]]:
            by_hand = backward(layers, forward(layers, X, g), Y, g)
            return by_hand, jax.grad(lambda ls: cross_entropy(forward(ls, X, g).Z[-1], Y))(layers)

        by_hand, by_jax = gradients(layers, X, Y)

        assert jax.tree.structure(by_hand) == jax.tree.structure(by_jax)
        for ours, theirs in zip(jax.tree.leaves(by_hand), jax.tree.leaves(by_jax), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_cost_is_the_decks() -> None:
    a = np.array([[0.2, 0.7, 0.9]])
    y = np.array([[0.0, 1.0, 1.0]])
    deck = -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))
    cost = jax.jit(cross_entropy)(np.float32(np.log(a / (1 - a))), np.float32(y))
    np.testing.assert_allclose(cost, deck, rtol=1e-6)


def test_cost_is_finite_where_the_sigmoid_rounds() -> None:
    assert jax.jit(cross_entropy)(np.float32([[200]]), np.float32([[0]])) == 200.0


def test_worked_network_of_deck_002() -> None:
    """2-2-1, linear: inputs (2, 3), target 1, rate .05, each figure as the deck prints it."""
    linear = ACTIVATIONS["linear"]
    layers = [
        Layer(np.float32([[0.11, 0.21], [0.12, 0.08]]), np.zeros((2, 1), np.float32)),
        Layer(np.float32([[0.14, 0.15]]), np.zeros((1, 1), np.float32)),
    ]
    X, Y = jnp.array([[2.0], [3.0]]), jnp.array([[1.0]])

    @jax.jit
    def step(layers) -> tuple:
        passed = forward(layers, X, linear, activations.linear)
        new = descend(layers, backward(layers, passed, Y, linear), 0.05)
        return passed, half_squared_error(passed.Z[-1], Y), new

    passed, cost, new = jax.device_get(step(layers))
    np.testing.assert_allclose(passed.A[1][:, 0], [0.85, 0.48], rtol=1e-6)
    prediction = passed.A[-1].item()
    assert f"{prediction:.3f}" == "0.191"
    assert f"{cost:.3f}" == "0.327"
    assert f"{prediction - 1:.3f}" == "-0.809"  # the deck's Delta

    # The deck rounds to two places; its .17 .17 and .12 .23 .13 .10.
    assert [f"{w:.2f}" for w in new[1].W[0]] == ["0.17", "0.17"]
    assert [f"{w:.2f}" for w in new[0].W.ravel()] == ["0.12", "0.23", "0.13", "0.10"]
    # And its products before rounding, -.034 -.019 and -.011 -.017 -.012 -.018.
    moved = jax.tree.map(np.subtract, layers, new)
    np.testing.assert_allclose(moved[1].W, [[-0.034, -0.019]], atol=5.1e-4)
    np.testing.assert_allclose(moved[0].W, [[-0.011, -0.017], [-0.012, -0.018]], atol=5.1e-4)

    # "Prediction is closer": the deck has no biases, so ours stay out of the second pass.
    unbiased = [Layer(layer.W, np.zeros_like(layer.b)) for layer in new]
    second = step(unbiased)[0].A[-1].item()
    assert f"{second:.2f}" == "0.26"


@functools.partial(jax.jit, static_argnames=("hidden", "initializer"))
def train_on_xor(key, hidden, initializer) -> tuple[list[Layer], Pass]:
    """The layers after 2000 steps, and what they make of XOR."""
    g = ACTIVATIONS[hidden]

    def step(layers, _) -> tuple[list[Layer], None]:
        return descend(layers, backward(layers, forward(layers, XOR_X, g), XOR_Y, g), 1.0), None

    layers = initial_layers(key, (2, 5, 1), initializer)
    layers, _ = jax.lax.scan(step, layers, None, length=2000)
    return layers, forward(layers, XOR_X, g)


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
def test_zero_weights_stay_symmetric(key, hidden) -> None:
    (first, second), passed = jax.device_get(train_on_xor(key, hidden, initializers.zeros))
    np.testing.assert_array_equal(np.ptp(first.W, axis=0), 0.0)  # five neurons, one function
    assert np.ptp(first.b) == 0
    assert np.ptp(second.W) == 0
    # One neuron repeated cannot learn XOR: the cost stays at log 2.
    cost = jax.jit(cross_entropy)(passed.Z[-1], XOR_Y)
    assert cost == pytest.approx(np.log(2), abs=1e-3)


def test_random_weights_break_the_symmetry_and_learn_xor(key) -> None:
    layers, passed = jax.device_get(train_on_xor(key, "tanh", initializers.xavier))
    assert np.linalg.matrix_rank(layers[0].W) == 2
    np.testing.assert_array_equal(passed.A[-1] > 0.5, XOR_Y > 0.5)


def test_the_learner_takes_the_decks_steps():
    """Deck 002's example through the learner: error .327, then .277; biases stay out of it."""
    linear = ACTIVATIONS["linear"]
    layers = [
        Layer(np.float32([[0.11, 0.21], [0.12, 0.08]]), np.zeros((2, 1), np.float32)),
        Layer(np.float32([[0.14, 0.15]]), np.zeros((1, 1), np.float32)),
    ]
    learner = learners.backpropagation(
        lambda key: layers,
        0.05,
        hidden=linear,
        output=activations.linear,
        cost=half_squared_error,
        biases=False,
    )
    batch = {"image": jnp.array([[2.0, 3.0]]), "label": jnp.array([1]), "mask": jnp.array([1.0])}

    @jax.jit
    def first_step(key) -> tuple:
        state, values = learner.step(learner.init(key, batch), batch, key)
        return state, values["cost"].value, learner.evaluate(state, batch)["cost"].value

    state, before, after = first_step(jax.random.key(0))
    assert f"{before:.3f}" == "0.327"
    assert f"{after:.3f}" == "0.277"
    assert all(np.all(np.asarray(layer.b) == 0) for layer in state.params)


def test_the_learner_is_gradient_descent(key):
    """Against a Linen MLP with the same weights under optax, sigmoid and cross-entropy."""
    sizes, rate = (5, 7, 3), 0.3
    random = np.random.default_rng(0)
    layers = [
        Layer(random.normal(size=(n, m)).astype(np.float32) / m**0.5, np.zeros((n, 1), np.float32))
        for m, n in itertools.pairwise(sizes)
    ]
    x = jnp.asarray(random.normal(size=(11, 5)), jnp.float32)
    y = jnp.asarray(random.integers(2, size=(11, 3)), jnp.int32)
    batch = {"image": x, "label": y, "mask": jnp.asarray(np.ones(11, np.float32))}
    learner = learners.backpropagation(lambda key: layers, rate)
    ours, step = learner.init(key, batch), jax.jit(learner.step)

    model = models.MLP(sizes[1:], activation=jnp.tanh)
    params = {
        f"Dense_{i}": {"kernel": layer.W.T, "bias": layer.b[:, 0]} for i, layer in enumerate(layers)
    }

    @jax.jit
    def by_jax(params) -> dict:
        def cost(params) -> jax.Array:
            logits = model.apply({"params": params}, x)
            return 3 * jnp.mean(losses.sigmoid_cross_entropy(logits, y))  # the deck sums outputs

        return jax.tree.map(lambda w, dw: w - rate * dw, params, jax.grad(cost)(params))

    for _ in range(5):
        ours, _ = step(ours, batch, key)
        params = by_jax(params)
    for i, layer in enumerate(ours.params):
        np.testing.assert_allclose(layer.W.T, params[f"Dense_{i}"]["kernel"], atol=1e-6)
        np.testing.assert_allclose(layer.b[:, 0], params[f"Dense_{i}"]["bias"], atol=1e-6)
