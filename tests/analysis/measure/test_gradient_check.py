"""Gradient checking finds planted errors, passes right gradients and refuses float32."""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import losses, models
from dlcourse.analysis import GradientCheck, check_directions, check_gradient
from dlcourse.errors import UserError
from dlcourse.models.foundations import backpropagation, initializers
from dlcourse.models.foundations.activations import ACTIVATIONS


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.fixture
def problem() -> tuple[Callable, dict]:
    """An MLP, its mean cross-entropy, float64 parameters."""
    model = models.MLP((5, 3), activation=jnp.tanh)
    x = jax.random.normal(jax.random.key(0), (11, 7))
    params = jax.jit(model.init)(jax.random.key(1), x)["params"]
    params = jax.tree.map(lambda p: p.astype(jnp.float64), params)
    labels = jnp.arange(11) % 3

    def loss(params) -> jax.Array:
        return jnp.mean(losses.softmax_cross_entropy(model.apply({"params": params}, x), labels))

    return loss, params


def planted(loss, fault) -> Callable:
    """The gradient of the loss with `fault` done to one leaf."""

    def gradient(params) -> dict:
        gradient = jax.grad(loss)(params)
        gradient["Dense_0"]["kernel"] = fault(gradient["Dense_0"]["kernel"])
        return gradient

    return gradient


def check(how, loss, params, gradient=None) -> GradientCheck:
    if how == "coordinates":
        return check_gradient(loss, params, gradient)
    if how == "sampled":
        return check_gradient(loss, params, gradient, samples=9, key=jax.random.key(2))
    return check_directions(loss, params, gradient, key=jax.random.key(2))


HOW = ["coordinates", "sampled", "directions"]


@pytest.mark.parametrize("how", HOW)
def test_a_right_gradient_passes(how, problem) -> None:
    found = check(how, *problem)
    assert found.difference < 1e-8
    assert set(found.leaves) == {f"Dense_{i}/{p}" for i in (0, 1) for p in ("kernel", "bias")}
    assert max(found.leaves.values()) < 1e-7


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("fault", [lambda g: -g, lambda g: 2 * g, lambda g: 1.01 * g])
def test_a_planted_error_is_found_in_its_leaf(how, fault, problem) -> None:
    loss, params = problem
    found = check(how, loss, params, planted(loss, fault))
    assert found.difference > 1e-4
    assert found.leaf == "Dense_0/kernel"
    assert found.leaves["Dense_0/kernel"] > 1e-3
    assert found.leaves["Dense_1/bias"] < 1e-7
    assert found.leaf in str(found)


def test_the_entry_at_fault_is_named(problem) -> None:
    loss, params = problem
    found = check_gradient(loss, params, planted(loss, lambda g: g.at[3, 2].multiply(-1)))
    assert found.leaf == "Dense_0/kernel"
    assert found.entry == (3, 2)
    assert found.analytic == pytest.approx(-found.numeric, rel=1e-6)
    assert "Dense_0/kernel[3, 2]" in str(found)


def test_the_missing_factor_of_back_propagation() -> None:
    """The decks' own gradient with the 1/m of one layer forgotten."""
    sizes, tanh = (3, 4, 2), ACTIVATIONS["tanh"]
    X = jax.random.normal(jax.random.key(0), (3, 7))
    Y = jnp.asarray(jax.random.bernoulli(jax.random.key(1), 0.5, (2, 7)), jnp.float64)
    layers = backpropagation.initial_layers(jax.random.key(2), sizes, initializers.xavier)
    layers = jax.tree.map(lambda a: a.astype(jnp.float64), layers)

    def loss(layers) -> jax.Array:
        return backpropagation.cross_entropy(backpropagation.forward(layers, X).Z[-1], Y)

    def right(layers) -> list:
        return backpropagation.backward(layers, backpropagation.forward(layers, X), Y, tanh)

    def wrong(layers) -> list:
        first, second = right(layers)
        return [first, second._replace(W=second.W * 7)]

    assert check_gradient(loss, layers, right).difference < 1e-7
    found = check_gradient(loss, layers, wrong)
    assert found.difference > 1e-2
    assert found.leaf == "1/W"
    assert found.analytic / found.numeric == pytest.approx(7, rel=1e-6)


def test_the_relative_difference_is_the_decks() -> None:
    """A quadratic, where differences are exact: g = 2 theta, the planted one 3 theta."""
    theta = jnp.array([1.0, -2.0, 2.0])
    found = check_gradient(lambda t: jnp.sum(t**2), theta, lambda t: 3 * t)
    assert found.difference == pytest.approx(1 / 5, rel=1e-9)
    assert found.leaf == "params"
    assert found.entry in {(1,), (2,)}


def test_a_zero_gradient_is_no_error() -> None:
    assert check_gradient(lambda t: jnp.sum(t["used"]) + 0 * t["idle"], trees()).difference < 1e-9
    assert check_gradient(lambda t: 0.0 * t["idle"], trees()).difference == 0


def trees() -> dict:
    return {"used": jnp.ones((2, 3)), "idle": jnp.zeros(())}


def test_many_coordinates_can_be_sampled() -> None:
    theta = jnp.linspace(-1.0, 1.0, 100_003)
    found = check_gradient(
        lambda t: jnp.mean(jnp.sin(t)), theta, samples=5, key=jax.random.key(0), epsilon=1e-2
    )
    assert found.difference < 1e-4
    assert np.prod(found.entry) < 100_003


def test_float32_parameters_are_refused(problem) -> None:
    loss, params = problem
    params = jax.tree.map(lambda p: p.astype(jnp.float32), params)
    with pytest.raises(UserError, match=r"needs float64.*Dense_0/bias is float32.*enable_x64"):
        check_gradient(loss, params)
    with pytest.raises(UserError, match="needs float64"):
        check_directions(loss, params, key=jax.random.key(0))


def test_float64_numpy_without_x64_is_refused() -> None:
    with jax.enable_x64(False), pytest.raises(UserError, match="needs float64"):
        check_gradient(lambda t: jnp.sum(t**2), np.ones(3))


def test_a_loss_that_falls_back_to_float32_is_refused(problem) -> None:
    loss, params = problem
    with pytest.raises(UserError, match=r"one float64 number.*float32"):
        check_gradient(lambda p: loss(p).astype(jnp.float32), params)


def test_a_loss_that_is_not_averaged_is_refused() -> None:
    with pytest.raises(UserError, match=r"float64\[3\]"):
        check_gradient(lambda t: t**2, jnp.ones(3))


def test_sampling_without_a_key_is_refused(problem) -> None:
    with pytest.raises(UserError, match="needs a key"):
        check_gradient(*problem, samples=2)
