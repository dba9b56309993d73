"""Gradient checking finds planted errors, passes right gradients and refuses float32."""

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import losses, models
from dlcourse.analysis import GradientCheck, check_directions, check_gradient
from dlcourse.errors import UserError
from dlcourse.models.foundations import backpropagation
from dlcourse.models.foundations.activations import ACTIVATIONS


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@functools.cache
def problem() -> tuple[Callable, dict]:
    """An MLP, its mean cross-entropy and float64 parameters; one, so that tests share programs."""
    model = models.MLP((5, 3), activation=jnp.tanh)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(11, 7)))
    params = as_numpy(jax.jit(model.init)(jax.random.key(1), x)["params"], np.float64)
    labels = jnp.asarray(np.arange(11) % 3)

    @jax.jit
    def loss(params) -> jax.Array:
        return jnp.mean(losses.softmax_cross_entropy(model.apply({"params": params}, x), labels))

    return loss, params


def as_numpy(tree, dtype):
    return jax.tree.map(lambda leaf: np.asarray(leaf, dtype), tree)


@functools.cache
def gradient_of_the_problem() -> Callable:
    loss, _ = problem()
    return jax.jit(jax.grad(loss))


def planted(fault) -> Callable:
    """The gradient of the problem with `fault` done to one leaf."""

    def gradient(params) -> dict:
        gradient = gradient_of_the_problem()(params)
        kernel = np.array(gradient["Dense_0"]["kernel"])
        return gradient | {"Dense_0": gradient["Dense_0"] | {"kernel": fault(kernel)}}

    return gradient


def check(how, loss, params, gradient=None) -> GradientCheck:
    if how == "coordinates":
        return check_gradient(loss, params, gradient)
    if how == "sampled":
        return check_gradient(loss, params, gradient, samples=9, key=jax.random.key(2))
    return check_directions(loss, params, gradient, key=jax.random.key(2))


HOW = ["coordinates", "sampled", "directions"]


@pytest.mark.parametrize("how", HOW)
def test_a_right_gradient_passes(how) -> None:
    found = check(how, *problem())
    assert found.difference < 1e-8
    assert set(found.leaves) == {f"Dense_{i}/{p}" for i in (0, 1) for p in ("kernel", "bias")}
    assert max(found.leaves.values()) < 1e-7


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("fault", [lambda g: -g, lambda g: 2 * g, lambda g: 1.01 * g])
def test_a_planted_error_is_found_in_its_leaf(how, fault) -> None:
    found = check(how, *problem(), planted(fault))
    assert found.difference > 1e-4
    assert found.leaf == "Dense_0/kernel"
    assert found.leaves["Dense_0/kernel"] > 1e-3
    assert found.leaves["Dense_1/bias"] < 1e-7
    assert found.leaf in str(found)


def test_the_entry_at_fault_is_named() -> None:
    def fault(kernel) -> np.ndarray:
        kernel[3, 2] *= -1
        return kernel

    found = check_gradient(*problem(), planted(fault))
    assert found.leaf == "Dense_0/kernel"
    assert found.entry == (3, 2)
    assert found.analytic == pytest.approx(-found.numeric, rel=1e-6)
    assert "Dense_0/kernel[3, 2]" in str(found)


def test_the_missing_factor_of_back_propagation() -> None:
    """The decks' own gradient with the 1/m of one layer forgotten."""
    tanh = ACTIVATIONS["tanh"]
    random = np.random.default_rng(0)
    X = jnp.asarray(random.normal(size=(3, 7)))
    Y = jnp.asarray(random.integers(2, size=(2, 7)).astype(np.float64))
    layers = [
        backpropagation.Layer(random.normal(size=(n_out, n_in)), np.zeros((n_out, 1)))
        for n_in, n_out in ((3, 4), (4, 2))
    ]

    @jax.jit
    def loss(layers) -> jax.Array:
        return backpropagation.cross_entropy(backpropagation.forward(layers, X).Z[-1], Y)

    @jax.jit
    def right(layers) -> list:
        return backpropagation.backward(layers, backpropagation.forward(layers, X), Y, tanh)

    def wrong(layers) -> list:
        first, second = right(layers)
        return [first, second._replace(W=7 * np.asarray(second.W))]

    assert check_gradient(loss, layers, right).difference < 1e-7
    found = check_gradient(loss, layers, wrong)
    assert found.difference > 1e-2
    assert found.leaf == "1/W"
    assert found.analytic / found.numeric == pytest.approx(7, rel=1e-6)


def test_the_relative_difference_is_the_decks() -> None:
    """A quadratic, where differences are exact: g = 2 theta, the planted one 3 theta."""
    theta = np.array([1.0, -2.0, 2.0])
    found = check_gradient(lambda t: jnp.sum(t**2), theta, lambda t: 3 * t)
    assert found.difference == pytest.approx(1 / 5, rel=1e-9)
    assert found.leaf == "params"
    assert found.entry in {(1,), (2,)}


def test_a_zero_gradient_is_no_error() -> None:
    params = {"used": np.ones((2, 3)), "idle": np.zeros(())}
    one_is_idle = jax.jit(lambda t: jnp.sum(t["used"]) + 0 * t["idle"])
    assert check_gradient(one_is_idle, params).difference < 1e-9
    assert check_gradient(jax.jit(lambda t: 0.0 * t["idle"]), params).difference == 0


def test_many_coordinates_can_be_sampled() -> None:
    theta = np.linspace(-1.0, 1.0, 100_003)
    loss = jax.jit(lambda t: jnp.mean(jnp.sin(t)))
    found = check_gradient(loss, theta, samples=5, key=jax.random.key(0), epsilon=1e-2)
    assert found.difference < 1e-4
    assert np.prod(found.entry) < 100_003


def test_float32_parameters_are_refused() -> None:
    loss, params = problem()
    params = as_numpy(params, np.float32)
    with pytest.raises(UserError, match=r"needs float64.*Dense_0/bias is float32.*enable_x64"):
        check_gradient(loss, params)
    with pytest.raises(UserError, match="needs float64"):
        check_directions(loss, params, key=jax.random.key(0))


def test_float64_numpy_without_x64_is_refused() -> None:
    with jax.enable_x64(False), pytest.raises(UserError, match="needs float64"):
        check_gradient(lambda t: jnp.sum(t**2), np.ones(3))


def test_a_loss_that_falls_back_to_float32_is_refused() -> None:
    loss, params = problem()
    with pytest.raises(UserError, match=r"one float64 number.*float32"):
        check_gradient(lambda p: loss(p).astype(jnp.float32), params)


def test_a_loss_that_is_not_averaged_is_refused() -> None:
    with pytest.raises(UserError, match=r"float64\[3\]"):
        check_gradient(lambda t: t**2, np.ones(3))


def test_sampling_without_a_key_is_refused() -> None:
    with pytest.raises(UserError, match="needs a key"):
        check_gradient(*problem(), samples=2)
