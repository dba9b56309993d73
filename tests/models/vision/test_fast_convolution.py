"""The convolution layer and its fast paths against Flax and XLA."""

from collections.abc import Callable, Iterator

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import Jaxpr, jaxprs_in_params

from dlcourse.errors import UserError
from dlcourse.models.vision import fast_convolution
from dlcourse.models.vision.convolution import Conv
from dlcourse.models.vision.fast_convolution import by_columns, convolve_batch
from dlcourse.models.vision.lenet import LeNet5
from tests.fixtures.weights import draw
from tests.models.variables import drawn, images, ones

NHWC = ("NHWC", "HWIO", "NHWC")


# At stride 1 on a CPU, few filters go through `by_columns` and many through a convolution.
@pytest.mark.parametrize(
    ("kernel_size", "strides", "padding", "shape", "features"),
    [
        ((3, 3), 1, "SAME", (2, 7, 11, 3), 6),
        ((3, 3), 1, "SAME", (2, 7, 10, 3), 6),
        ((5, 4), 1, 1, (3, 7, 11, 5), 6),
        ((3, 3), 1, 1, (67, 5, 4, 2), 6),
        ((5, 3), 1, 0, (2, 7, 11, 5), 6),
        ((5, 5), 1, 2, (2, 7, 11, 1), 6),
        ((3, 3), 1, "SAME", (2, 7, 11, 4), 29),
        ((5, 4), 1, 1, (3, 7, 11, 5), 29),
        ((3, 3), 1, 1, (138, 5, 4, 4), 29),  # more images than are convolved at once
        ((5, 3), 1, 0, (2, 7, 11, 5), 29),
        ((3, 3), 2, "SAME", (2, 8, 11, 3), 29),
        ((3, 3), 2, 1, (2, 7, 8, 17), 29),
        ((1, 1), 2, 0, (2, 7, 8, 19), 6),
        ((7, 7), 3, 3, (2, 13, 11, 2), 6),
    ],
)
def test_the_layer_is_flaxs(kernel_size, strides, padding, shape, features) -> None:
    ours = Conv(features, kernel_size, strides, padding)
    theirs = nn.Conv(features, kernel_size, strides=strides, padding=padding)
    x = draw("x", shape)
    variables = drawn(ours, images(*shape))
    assert jax.tree.map(np.shape, drawn(theirs, images(*shape))) == jax.tree.map(
        np.shape, variables
    )

    @jax.jit
    def both(variables: dict, x: jax.Array) -> list[tuple]:
        results = []
        for layer in (ours, theirs):
            out, pull = jax.vjp(layer.apply, variables, x)
            results.append((out, pull(jnp.cos(out))))
        return results

    chex.assert_trees_all_close(*both(variables, x), rtol=1e-4, atol=1e-4)


def primitives_in(name: str, function: Callable, *arguments: jax.Array) -> list[dict]:
    """The parameters of each primitive of this name in a function, such as a convolution's."""

    def walk(jaxpr: Jaxpr) -> Iterator[dict]:
        for equation in jaxpr.eqns:
            if equation.primitive.name == name:
                yield equation.params
            for inner in jaxprs_in_params(equation.params):
                yield from walk(inner)

    return list(walk(jax.make_jaxpr(function)(*arguments).jaxpr))


def test_few_channels_on_a_cpu_are_one_matrix_product(monkeypatch):
    def convolutions(channels: int, stride: int = 1) -> int:
        x, kernel = ones(2, 9, 8, channels), ones(5, 5, channels, 6)

        # A new function each time: JAX caches the trace of an old one.
        def convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
            return convolve_batch(x, kernel, stride, 0)

        return len(primitives_in("conv_general_dilated", convolution, x, kernel))

    assert convolutions(channels=3) == 0
    assert convolutions(channels=31) == 1
    assert convolutions(channels=3, stride=2) == 1
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert convolutions(channels=3) == 1


@pytest.mark.parametrize("width", [3, 4, 6, 7, 8, 10, 13, 31])
@pytest.mark.parametrize("border", [((0, 0), (0, 0)), ((1, 0), (2, 1))], ids=str)
def test_the_columns_of_one_product_are_those_of_the_convolution(width, border):
    @jax.jit
    def both(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
        native = lax.conv_general_dilated(x, kernel, (1, 1), border, dimension_numbers=NHWC)
        return by_columns(x, kernel, border), native

    ours, native = both(draw("x", (2, 5, width, 2)), draw("kernel", (3, 3, 2, 4)))
    np.testing.assert_allclose(ours, native, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("columns", "at_once"), [(1, 1), (3, 3), (7, 4), (10, 5), (28, 4), (31, 4), (241, 5)]
)
def test_the_program_does_not_grow_with_the_columns(columns, at_once):
    x, kernel = ones(2, 7, columns + 4, 3), ones(5, 5, 3, 6)
    program = jax.make_jaxpr(lambda: by_columns(x, kernel, ((0, 0), (0, 0))))().jaxpr
    (product,) = program.eqns
    assert len(product.params["jaxpr"].eqns) < 30
    (dot,) = (e for e in product.params["jaxpr"].eqns if e.primitive.name == "dot_general")
    assert dot.outvars[0].aval.shape == (2, 3, -(-columns // at_once), 6 * at_once)


@pytest.mark.parametrize("stride", [1, 2])
def test_on_a_cpu_channels_come_last_in_the_backward_pass_too(stride):
    x, kernel = ones(5, 9, 8, 31), ones(3, 3, 31, 7)

    def loss(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jnp.sum(convolve_batch(x, kernel, stride, 1) ** 2)

    convs = primitives_in("conv_general_dilated", jax.grad(loss, argnums=(0, 1)), x, kernel)
    channels_last = lax.conv_dimension_numbers(x.shape, kernel.shape, NHWC)
    assert [conv["dimension_numbers"] for conv in convs] == 3 * [channels_last]
    # Images that no gradient is asked for cost none.
    assert len(primitives_in("conv_general_dilated", jax.grad(loss, argnums=1), x, kernel)) == 2


@pytest.mark.parametrize("batch", [1, 7, 12])
def test_the_gradient_of_many_places_is_summed_in_parts(monkeypatch, batch):
    @jax.jit
    def gradients(x: jax.Array, kernel: jax.Array) -> list[jax.Array]:
        found = []
        for at_once in (batch * 9 * 8, 4 * 9 * 8, 1):  # all images, four, less than one
            monkeypatch.setattr(fast_convolution, "AT_ONCE", at_once)
            found.append(jax.grad(lambda k: jnp.sum(jnp.sin(convolve_batch(x, k, 1, 1))))(kernel))
        return found

    arguments = draw("x", (batch, 9, 8, 3)), draw("k", (3, 3, 3, 40))
    turns = [loop["length"] for loop in primitives_in("scan", gradients, *arguments)]
    assert turns == [1, max(1, batch // max(n for n in range(1, 5) if batch % n == 0)), batch]
    whole, *parts = gradients(*arguments)
    for part in parts:
        np.testing.assert_allclose(part, whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("filters", [5, 49])  # one matrix product, and a convolution
def test_forward_mode_and_second_derivatives_are_xlas(filters):
    x = jnp.asarray(draw("x", (3, 5, 6, 2)))
    kernel = jnp.asarray(draw("kernel", (3, 3, 2, filters)))

    def ours(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return convolve_batch(x, kernel, 1, 0)

    def native(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=NHWC)

    def derivatives(conv: Callable) -> tuple:
        def loss(x: jax.Array, kernel: jax.Array) -> jax.Array:
            return jnp.sum(jnp.sin(conv(x, kernel)))

        gradient = jax.grad(loss, argnums=(0, 1))
        tangents = (jnp.cos(x), jnp.cos(kernel))
        return (
            jax.jvp(conv, (x, kernel), tangents),
            jax.jvp(gradient, (x, kernel), tangents),
            jax.grad(lambda x: jnp.sum(gradient(x, kernel)[1] ** 2))(x),
            jax.vmap(jax.grad(loss, argnums=1), in_axes=(0, None))(x[:, None], kernel),
            jax.jit(jax.vmap(gradient))(jnp.stack([x, 2 * x]), jnp.stack([kernel, -kernel])),
        )

    both = jax.jit(lambda: [derivatives(ours), derivatives(native)])
    chex.assert_trees_all_close(*both(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 9, 4, 1), "a window of 5 does not fit 4 pixels"),
        ((9, 9, 1), r"\[batch, height, width, channels\], got an array of shape \(9, 9, 1\)"),
    ],
)
def test_the_layer_says_what_it_reads(key, shape, message):
    with pytest.raises(UserError, match=message):
        jax.eval_shape(Conv(2, (5, 5), padding=0).init, key, images(*shape))


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), (28, 28, 28)])
def test_lenet_does_not_take_an_image_for_a_batch(key, shape):
    with pytest.raises(UserError, match=r"images should be \[batch, height, width, channels\]"):
        jax.eval_shape(LeNet5().init, key, images(*shape))
