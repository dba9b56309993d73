"""Convolution against SciPy, XLA, PyTorch and Flax, and filters that are learned."""

import functools
import inspect
from collections.abc import Callable, Iterator

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.signal
from jax import lax
from jax.extend.core import Jaxpr, jaxprs_in_params

from dlcourse.errors import UserError
from dlcourse.models.vision import fast_convolution
from dlcourse.models.vision.convolution import (
    HORIZONTAL_EDGES,
    VERTICAL_EDGES,
    Conv,
    convolve,
    convolve2d,
    learn_kernel,
    pad,
)
from dlcourse.models.vision.fast_convolution import by_columns, convolve_batch
from dlcourse.models.vision.lenet import LeNet5
from dlcourse.models.vision.shapes import output_size
from tests import FIXTURES
from tests.fixtures.weights import draw

FIXTURE = np.load(FIXTURES / "convolution.npz")
NHWC = ("NHWC", "HWIO", "NHWC")


def channels_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 1, -1)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "expected"),
    [
        (12, 3, 1, 1, 12),  # deck 003's padded example
        (6, 3, 1, 0, 4),  # deck 001's volume
        (32, 5, 1, 0, 28),  # model 2's first layer
        (7, 3, 2, 0, 3),
        (8, 3, 2, 0, 3),  # the floor: one column is never seen
        (224, 11, 4, 2, 55),  # AlexNet's first layer
        (3, 5, 7, 1, 1),
    ],
)
def test_output_size_is_the_decks_formula(size, kernel, stride, padding, expected) -> None:
    assert output_size(size, kernel, stride, padding) == expected


def test_output_size_counts_the_places_of_a_window() -> None:
    for size in range(1, 14):
        for kernel in range(1, size + 1):
            for stride in range(1, 5):
                places = len(range(0, size - kernel + 1, stride))
                assert output_size(size, kernel, stride) == places


def test_a_window_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="a window of 5 does not fit 2 pixels with 1 of padding"):
        output_size(2, 5, padding=1)
    with pytest.raises(UserError, match="too small"):
        convolve2d(jnp.ones((2, 9)), jnp.ones((3, 3)))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(0, 1, 0), (3, 0, 0), (3, 1, -1)])
def test_what_is_no_window_is_refused(kernel, stride, padding) -> None:
    expected = f"got size {kernel}, stride {stride} and padding {padding}"
    with pytest.raises(UserError, match=expected):
        output_size(9, kernel, stride, padding)
    image, filters = jnp.ones((9, 9)), jnp.ones((kernel, kernel))
    with pytest.raises(UserError, match=expected):
        convolve2d(image, filters, stride=stride, padding=padding)
    with pytest.raises(UserError, match=expected):
        convolve(image[..., None], filters[..., None, None], stride=stride, padding=padding)
    with pytest.raises(UserError, match=expected):
        convolve_batch(image[None, ..., None], filters[..., None, None], stride, padding)


# Without jaxtyping's check of the shapes, which runs in the tests alone.
@pytest.mark.parametrize(
    ("function", "shapes", "message"),
    [
        (convolve2d, [(9, 9, 1), (3, 3)], r"an image .* \[height, width\], got .* \(9, 9, 1\)"),
        (convolve2d, [(9, 9), (3,)], r"a kernel should be \[height, width\], got .* \(3,\)"),
        (convolve, [(9, 9), (3, 3, 1, 2)], r"\[height, width, channels\], got .* \(9, 9\)"),
        (convolve, [(9, 9, 1), (3, 3)], r"\[height, width, channels, filters\], got .* \(3, 3\)"),
        (convolve, [(9, 9, 2), (3, 3, 1, 4)], r"reads 1 channels, got 2 in .* \(9, 9, 2\)"),
    ],
)
def test_the_definition_says_what_it_reads(function, shapes, message) -> None:
    with pytest.raises(UserError, match=message):
        inspect.unwrap(function)(*map(jnp.ones, shapes))


@pytest.mark.parametrize(
    ("shape", "kernel", "message"),
    [
        ((9, 9, 3), (3, 3, 3, 2), r"\[batch, height, width, channels\], got .* \(9, 9, 3\)"),
        ((2, 9, 9, 3), (3, 3), r"\[height, width, channels, filters\], got .* \(3, 3\)"),
        ((2, 9, 9, 3), (3, 3, 1, 2), r"reads 1 channels, got 3 in .* \(2, 9, 9, 3\)"),
        ((2, 2, 9, 3), (3, 3, 3, 2), "a window of 3 does not fit 2 pixels"),
        ((2, 9, 2, 3), (3, 3, 3, 99), "a window of 3 does not fit 2 pixels"),
    ],
)
def test_a_batch_that_the_filters_cannot_read_is_refused_on_every_path(
    monkeypatch, shape, kernel, message
) -> None:
    conv = inspect.unwrap(convolve_batch)
    for stride in (1, 2):
        with pytest.raises(UserError, match=message):
            conv(jnp.ones(shape), jnp.ones(kernel), stride, 0)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(UserError, match=message):
        conv(jnp.ones(shape), jnp.ones(kernel), 1, 0)


def test_padding_to_the_same_size_needs_a_stride_too() -> None:
    with pytest.raises(UserError, match="got size 1, stride 0 and padding 0"):
        convolve_batch(jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 1)), 0, "SAME")
    # However small the image, it has the place of every pixel.
    assert convolve_batch(jnp.ones((1, 1, 2, 1)), jnp.ones((5, 5, 1, 1)), 1, "SAME").shape[2] == 2


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("zeros", [0, 0, 1, 2, 3, 0, 0]),
        ("reflect", [3, 2, 1, 2, 3, 2, 1]),
        ("replicate", [1, 1, 1, 2, 3, 3, 3]),
        ("circular", [2, 3, 1, 2, 3, 1, 2]),
    ],
)
def test_the_four_padding_modes(mode, expected) -> None:
    image = np.broadcast_to(np.array([1.0, 2.0, 3.0], np.float32), (3, 3))
    np.testing.assert_array_equal(pad(image, 2, mode)[2], expected)
    np.testing.assert_array_equal(pad(image.T, 2, mode)[:, 2], expected)


@pytest.mark.parametrize(("mode", "padding"), [("reflect", 3), ("circular", 4)])
def test_padding_with_more_pixels_than_there_are_is_refused(mode, padding) -> None:
    pad(jnp.ones((3, 5)), padding - 1, mode)
    with pytest.raises(UserError, match=f"{mode} padding of {padding} needs a larger image"):
        pad(jnp.ones((3, 5)), padding, mode)


def test_padding_says_what_it_reads() -> None:
    image = jnp.ones((3, 5))
    with pytest.raises(UserError, match="no padding mode 'mirror'; there are zeros, reflect, rep"):
        inspect.unwrap(pad)(image, 1, "mirror")
    with pytest.raises(UserError, match="at least 0 pixels around an image, got -1"):
        pad(image, -1)
    with pytest.raises(UserError, match=r"a height and a width, got an array of shape \(5,\)"):
        inspect.unwrap(pad)(image[0], 1)


def test_the_double_sum_is_scipys_correlation() -> None:
    image, kernel = draw("image", (13, 11)), draw("kernel", (5, 3))
    full = scipy.signal.correlate2d(image, kernel, mode="valid")
    for stride in (1, 2, 3):
        ours = convolve2d(image, kernel, stride=stride)
        np.testing.assert_allclose(ours, full[::stride, ::stride], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("key", [key for key in FIXTURE if key.startswith("conv/")])
def test_every_mode_stride_and_padding_is_pytorchs(key) -> None:
    _, mode, stride, padding = key.split("/")
    images, kernel, bias = draw("image", (2, 3, 11, 7)), draw("k", (5, 3, 3, 3)), draw("b", (5,))

    conv = functools.partial(convolve, stride=int(stride), padding=int(padding), padding_mode=mode)
    conv = jax.jit(jax.vmap(conv, in_axes=(0, None, None)))
    ours = conv(channels_last(images), kernel.transpose(2, 3, 1, 0), bias)
    np.testing.assert_allclose(ours, channels_last(FIXTURE[key]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [5, 7, 8])
@pytest.mark.parametrize(("f", "stride", "padding"), [(3, 1, 1), (3, 2, 0), (5, 3, 2), (2, 2, 1)])
def test_the_definition_is_xlas_convolution(size, f, stride, padding) -> None:
    image, kernel = draw("image", (size, size + 3, 3)), draw("kernel", (f, f, 3, 2))
    theirs = lax.conv_general_dilated(
        image[None], kernel, (stride,) * 2, [(padding, padding)] * 2, dimension_numbers=NHWC
    )[0]
    conv = functools.partial(convolve, stride=stride, padding=padding)
    ours = jax.jit(conv)(image, kernel)
    assert ours.shape == (
        output_size(size, f, stride, padding),
        output_size(size + 3, f, stride, padding),
        2,
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_deck_001s_volume() -> None:
    assert convolve(jnp.ones((6, 6, 3)), jnp.ones((3, 3, 3, 10))).shape == (4, 4, 10)


def test_convolution_commutes_with_translation() -> None:
    image, kernel = draw("image", (7, 11)), draw("kernel", (3, 3))

    def around(x: jax.Array) -> jax.Array:
        return convolve2d(x, kernel, padding=1, padding_mode="circular")

    moved = around(jnp.roll(image, (2, 5), axis=(0, 1)))
    np.testing.assert_allclose(moved, jnp.roll(around(image), (2, 5), axis=(0, 1)), atol=1e-5)


def test_edge_filters_answer_to_their_own_edge_alone() -> None:
    half = np.repeat([[10.0, 10.0, 10.0, 0.0, 0.0, 0.0]], 6, axis=0).astype(np.float32)
    answer = np.repeat([[0.0, 30.0, 30.0, 0.0]], 4, axis=0)
    np.testing.assert_array_equal(convolve2d(half, VERTICAL_EDGES), answer)
    np.testing.assert_array_equal(convolve2d(half, HORIZONTAL_EDGES), np.zeros((4, 4)))
    np.testing.assert_array_equal(convolve2d(half.T, HORIZONTAL_EDGES), answer.T)


@pytest.mark.parametrize("kernel", [VERTICAL_EDGES, HORIZONTAL_EDGES])
def test_a_filter_learned_from_the_edge_image_is_the_edge_filter(kernel) -> None:
    image = draw("image", (29, 31))
    learned, errors = learn_kernel(image, convolve2d(image, kernel), optax.sgd(0.3), steps=60)
    np.testing.assert_allclose(learned, kernel, atol=1e-4)
    np.testing.assert_allclose(errors[0], np.mean(convolve2d(image, kernel) ** 2), rtol=1e-5)
    assert errors[-1] < 1e-8 * errors[0]


@pytest.mark.parametrize(
    ("kernel_size", "strides", "padding", "shape"),
    [
        ((3, 3), 1, "SAME", (2, 7, 11, 3)),
        ((3, 3), 1, "SAME", (2, 7, 10, 3)),
        ((5, 4), 1, 1, (3, 7, 11, 5)),
        ((3, 3), 1, 1, (67, 5, 4, 2)),  # more examples than go at once
        ((3, 3), 2, "SAME", (2, 8, 11, 3)),
        ((5, 3), 1, 0, (2, 7, 11, 5)),
        ((5, 5), 1, 2, (2, 7, 11, 1)),
        ((3, 3), 2, 1, (2, 7, 8, 17)),
        ((1, 1), 2, 0, (2, 7, 8, 19)),
        ((7, 7), 3, 3, (2, 13, 11, 2)),
    ],
)
@pytest.mark.parametrize("features", [6, 29])
def test_the_layer_is_flaxs(key, kernel_size, strides, padding, shape, features) -> None:
    ours = Conv(features, kernel_size, strides, padding)
    theirs = nn.Conv(features, kernel_size, strides=strides, padding=padding)
    x = jnp.asarray(draw("x", shape))
    variables = jax.jit(theirs.init)(key, x)
    shapes = jax.eval_shape(ours.init, key, x)
    assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, variables)
    variables["params"]["bias"] = jnp.asarray(draw("bias", (features,)))

    def value_and_gradients(layer: nn.Module) -> tuple:
        out, pull = jax.vjp(layer.apply, variables, x)
        return out, pull(jnp.cos(out))

    for left, right in zip(
        jax.tree.leaves(jax.jit(value_and_gradients, static_argnums=0)(ours)),
        jax.tree.leaves(jax.jit(value_and_gradients, static_argnums=0)(theirs)),
        strict=True,
    ):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-4)


def convolutions_in(function: Callable, *arguments: jax.Array) -> list[dict]:
    """What XLA is told of each convolution in a function."""

    def walk(jaxpr: Jaxpr) -> Iterator[dict]:
        for equation in jaxpr.eqns:
            if equation.primitive.name == "conv_general_dilated":
                yield equation.params
            for inner in jaxprs_in_params(equation.params):
                yield from walk(inner)

    return list(walk(jax.make_jaxpr(function)(*arguments).jaxpr))


def test_few_channels_on_a_cpu_are_one_matrix_product(monkeypatch):
    def convolutions(channels: int, stride: int = 1) -> int:
        x, kernel = jnp.ones((2, 9, 8, channels)), jnp.ones((5, 5, channels, 6))
        # A new function each time, or JAX would give the trace that it keeps of the last one.
        found = convolutions_in(lambda x, kernel: convolve_batch(x, kernel, stride, 0), x, kernel)
        return len(found)

    assert convolutions(channels=3) == 0
    assert convolutions(channels=31) == 1
    assert convolutions(channels=3, stride=2) == 1
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert convolutions(channels=3) == 1


@pytest.mark.parametrize("width", [3, 4, 6, 7, 8, 10, 13, 31])
@pytest.mark.parametrize("border", [((0, 0), (0, 0)), ((1, 0), (2, 1))], ids=str)
def test_the_columns_of_one_product_are_those_of_the_convolution(width, border):
    x, kernel = jnp.asarray(draw("x", (2, 5, width, 2))), jnp.asarray(draw("kernel", (3, 3, 2, 4)))
    expected = lax.conv_general_dilated(x, kernel, (1, 1), border, dimension_numbers=NHWC)
    np.testing.assert_allclose(by_columns(x, kernel, border), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("columns", "at_once"), [(1, 1), (3, 3), (7, 4), (10, 5), (28, 4), (31, 4), (241, 5)]
)
def test_the_program_does_not_grow_with_the_columns(columns, at_once):
    x, kernel = jnp.ones((2, 7, columns + 4, 3)), jnp.ones((5, 5, 3, 6))
    program = jax.make_jaxpr(lambda: by_columns(x, kernel, ((0, 0), (0, 0))))().jaxpr
    (product,) = program.eqns
    assert len(product.params["jaxpr"].eqns) < 30
    (dot,) = (e for e in product.params["jaxpr"].eqns if e.primitive.name == "dot_general")
    assert dot.outvars[0].aval.shape == (2, 3, -(-columns // at_once), 6 * at_once)


@pytest.mark.parametrize("stride", [1, 2])
def test_on_a_cpu_channels_come_last_in_the_backward_pass_too(stride):
    x, kernel = jnp.ones((5, 9, 8, 31)), jnp.ones((3, 3, 31, 7))

    def loss(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jnp.sum(convolve_batch(x, kernel, stride, 1) ** 2)

    convs = convolutions_in(jax.grad(loss, argnums=(0, 1)), x, kernel)
    channels_last = lax.conv_dimension_numbers(x.shape, kernel.shape, NHWC)
    assert [conv["dimension_numbers"] for conv in convs] == 3 * [channels_last]
    # Images that no gradient is asked for cost none.
    assert len(convolutions_in(jax.grad(loss, argnums=1), x, kernel)) == 2


@pytest.mark.parametrize("batch", [1, 7, 12])
def test_the_gradient_of_many_places_is_summed_in_parts(monkeypatch, batch):
    x, kernel = jnp.asarray(draw("x", (batch, 9, 8, 3))), jnp.asarray(draw("k", (3, 3, 3, 40)))

    def gradient() -> jax.Array:
        return jax.grad(lambda k: jnp.sum(jnp.sin(convolve_batch(x, k, 1, 1))))(kernel)

    whole = gradient()
    monkeypatch.setattr(fast_convolution, "AT_ONCE", 4 * 9 * 8)  # four images
    np.testing.assert_allclose(gradient(), whole, rtol=1e-4, atol=1e-4)
    monkeypatch.setattr(fast_convolution, "AT_ONCE", 1)  # less than an image
    np.testing.assert_allclose(gradient(), whole, rtol=1e-4, atol=1e-4)


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

    for left, right in zip(
        jax.tree.leaves(jax.jit(lambda: derivatives(ours))()),
        jax.tree.leaves(jax.jit(lambda: derivatives(native))()),
        strict=True,
    ):
        np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 9, 4, 1), "a window of 5 does not fit 4 pixels"),
        ((9, 9, 1), r"\[batch, height, width, channels\], got an array of shape \(9, 9, 1\)"),
    ],
)
def test_the_layer_says_what_it_reads(key, shape, message):
    with pytest.raises(UserError, match=message):
        Conv(2, (5, 5), padding=0).init(key, jnp.ones(shape))


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), (28, 28, 28)])
def test_lenet_does_not_take_an_image_for_a_batch(key, shape):
    with pytest.raises(UserError, match=r"images should be \[batch, height, width, channels\]"):
        LeNet5().init(key, jnp.ones(shape))
