"""The decks' recurrences against `jax.grad`, and deck 002's example figure by figure."""

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
    backward,
    cross_entropy,
    descend,
    forward,
    half_squared_error,
    initial_layers,
)

XOR_X = jnp.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
XOR_Y = jnp.array([[0.0, 1.0, 1.0, 0.0]])


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "swish"])
@pytest.mark.parametrize("sizes", [(5, 3), (5, 7, 1), (5, 7, 11, 3, 2)])
def test_equals_jax_grad_in_float64(hidden, sizes) -> None:
    with jax.enable_x64(True):
        random = np.random.default_rng(3)
        # Biases away from zero, or a forgotten one would not show.
        layers = [
            Layer(random.normal(size=(n, m)) / m**0.5, random.normal(size=(n, 1)))
            for m, n in itertools.pairwise(sizes)
        ]
        layers = jax.tree.map(jnp.asarray, layers)
        X = jnp.asarray(random.normal(size=(sizes[0], 13)))
        Y = jnp.asarray(random.integers(0, 2, (sizes[-1], 13)).astype(float))
        g = ACTIVATIONS[hidden]

        @jax.jit
        def gradients(layers) -> tuple[list[Layer], list[Layer]]:
            by_hand = backward(layers, forward(layers, X, g), Y, g)
            return by_hand, jax.grad(lambda ls: cross_entropy(forward(ls, X, g).Z[-1], Y))(layers)

        by_hand, by_jax = gradients(layers)

        assert jax.tree.structure(by_hand) == jax.tree.structure(by_jax)
        for ours, theirs in zip(jax.tree.leaves(by_hand), jax.tree.leaves(by_jax), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_cost_is_the_decks() -> None:
    a = np.array([[0.2, 0.7, 0.9]])
    y = np.array([[0.0, 1.0, 1.0]])
    deck = -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))
    np.testing.assert_allclose(
        cross_entropy(jnp.asarray(np.log(a / (1 - a)), jnp.float32), jnp.asarray(y, jnp.float32)),
        deck,
        rtol=1e-6,
    )


def test_cost_is_finite_where_the_sigmoid_rounds() -> None:
    assert cross_entropy(jnp.array([[200.0]]), jnp.array([[0.0]])) == 200.0


def test_worked_network_of_deck_002() -> None:
    """2-2-1, linear: inputs (2, 3), target 1, rate .05, each figure as the deck prints it."""
    linear = ACTIVATIONS["linear"]
    layers = [
        Layer(jnp.array([[0.11, 0.21], [0.12, 0.08]]), jnp.zeros((2, 1))),
        Layer(jnp.array([[0.14, 0.15]]), jnp.zeros((1, 1))),
    ]
    X, Y = jnp.array([[2.0], [3.0]]), jnp.array([[1.0]])

    passed = forward(layers, X, linear, activations.linear)
    np.testing.assert_allclose(passed.A[1][:, 0], [0.85, 0.48], rtol=1e-6)
    prediction = passed.A[-1].item()
    assert f"{prediction:.3f}" == "0.191"
    assert f"{half_squared_error(passed.Z[-1], Y):.3f}" == "0.327"
    assert f"{prediction - 1:.3f}" == "-0.809"  # the deck's Delta

    new = descend(layers, backward(layers, passed, Y, linear), 0.05)
    # The deck rounds to two places; its .17 .17 and .12 .23 .13 .10.
    assert [f"{w:.2f}" for w in new[1].W[0]] == ["0.17", "0.17"]
    assert [f"{w:.2f}" for w in new[0].W.ravel()] == ["0.12", "0.23", "0.13", "0.10"]
    # And its products before rounding, -.034 -.019 and -.011 -.017 -.012 -.018.
    moved = jax.tree.map(jnp.subtract, layers, new)
    np.testing.assert_allclose(moved[1].W, [[-0.034, -0.019]], atol=5.1e-4)
    np.testing.assert_allclose(moved[0].W, [[-0.011, -0.017], [-0.012, -0.018]], atol=5.1e-4)

    # "Prediction is closer": the deck has no biases, so ours stay out of the second pass.
    unbiased = [Layer(layer.W, jnp.zeros_like(layer.b)) for layer in new]
    second = forward(unbiased, X, linear, activations.linear).A[-1].item()
    assert f"{second:.2f}" == "0.26"


def train(layers, hidden, steps=2000, rate=1.0) -> list[Layer]:
    g = ACTIVATIONS[hidden]

    def step(layers, _) -> tuple[list[Layer], None]:
        return descend(layers, backward(layers, forward(layers, XOR_X, g), XOR_Y, g), rate), None

    return jax.lax.scan(step, layers, None, length=steps)[0]


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
def test_zero_weights_stay_symmetric(key, hidden) -> None:
    first, second = train(initial_layers(key, (2, 5, 1), initializers.zeros), hidden)
    np.testing.assert_array_equal(jnp.ptp(first.W, axis=0), 0.0)  # five neurons, one function
    assert jnp.ptp(first.b) == 0
    assert jnp.ptp(second.W) == 0
    passed = forward([first, second], XOR_X, ACTIVATIONS[hidden])
    # One neuron repeated cannot learn XOR: the cost stays at log 2.
    assert cross_entropy(passed.Z[-1], XOR_Y) == pytest.approx(np.log(2), abs=1e-3)


def test_random_weights_break_the_symmetry_and_learn_xor(key) -> None:
    layers = train(initial_layers(key, (2, 5, 1), initializers.xavier), "tanh")
    assert jnp.linalg.matrix_rank(layers[0].W) == 2
    np.testing.assert_array_equal(forward(layers, XOR_X).A[-1] > 0.5, XOR_Y > 0.5)


def test_the_learner_takes_the_decks_steps():
    """Deck 002's example through the learner: error .327, then .277; biases stay out of it."""
    linear = ACTIVATIONS["linear"]
    layers = [
        Layer(jnp.array([[0.11, 0.21], [0.12, 0.08]]), jnp.zeros((2, 1))),
        Layer(jnp.array([[0.14, 0.15]]), jnp.zeros((1, 1))),
    ]
    learner = learners.backpropagation(
        lambda key: layers,
        0.05,
        hidden=linear,
        output=activations.linear,
        cost=half_squared_error,
        biases=False,
    )
    batch = {"image": jnp.array([[2.0, 3.0]]), "label": jnp.array([1]), "mask": jnp.ones(1)}
    state, values = learner.step(learner.init(jax.random.key(0), batch), batch, jax.random.key(0))
    assert f"{values['cost'].value:.3f}" == "0.327"
    assert f"{learner.evaluate(state, batch)['cost'].value:.3f}" == "0.277"
    assert all(jnp.all(layer.b == 0) for layer in state.layers)


def test_the_learner_is_gradient_descent(key):
    """Against a Linen MLP with the same weights under optax, sigmoid and cross-entropy."""
    sizes, rate = (5, 7, 3), 0.3
    layers = initial_layers(key, sizes, initializers.xavier)
    x = jax.random.normal(jax.random.key(1), (11, 5))
    y = jax.random.bernoulli(jax.random.key(2), 0.5, (11, 3)).astype(jnp.int32)
    batch = {"image": x, "label": y, "mask": jnp.ones(11)}
    learner = learners.backpropagation(lambda key: layers, rate)
    ours = learner.init(key, batch)

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
        ours, _ = learner.step(ours, batch, key)
        params = by_jax(params)
    for i, layer in enumerate(ours.layers):
        np.testing.assert_allclose(layer.W.T, params[f"Dense_{i}"]["kernel"], atol=1e-6)
        np.testing.assert_allclose(layer.b[:, 0], params[f"Dense_{i}"]["bias"], atol=1e-6)
