"""Convolution against SciPy, XLA and PyTorch, and filters that are learned."""

import functools
import inspect

import jax
import numpy as np
import optax
import pytest
import scipy.signal
from jax import lax

from dlcourse.errors import UserError
from dlcourse.models.vision.convolution import (
    HORIZONTAL_EDGES,
    VERTICAL_EDGES,
    convolve,
    convolve2d,
    learn_kernel,
    pad,
)
from dlcourse.models.vision.fast_convolution import convolve_batch
from dlcourse.models.vision.shapes import output_size
from tests import FIXTURES
from tests.fixtures.weights import draw
from tests.models.variables import ones

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
        convolve2d(ones(2, 9), ones(3, 3))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(0, 1, 0), (3, 0, 0), (3, 1, -1)])
def test_what_is_no_window_is_refused(kernel, stride, padding) -> None:
    expected = f"got size {kernel}, stride {stride} and padding {padding}"
    with pytest.raises(UserError, match=expected):
        output_size(9, kernel, stride, padding)
    image, filters = ones(9, 9), ones(kernel, kernel)
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
        inspect.unwrap(function)(*(ones(*shape) for shape in shapes))


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
            conv(ones(*shape), ones(*kernel), stride, 0)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(UserError, match=message):
        conv(ones(*shape), ones(*kernel), 1, 0)


def test_padding_to_the_same_size_needs_a_stride_too() -> None:
    with pytest.raises(UserError, match="got size 1, stride 0 and padding 0"):
        convolve_batch(ones(1, 4, 4, 1), ones(3, 3, 1, 1), 0, "SAME")
    # However small the image, it has the place of every pixel.
    conv = functools.partial(convolve_batch, stride=1, padding="SAME")
    out = jax.eval_shape(conv, ones(1, 1, 2, 1), ones(5, 5, 1, 1))
    assert out.shape == (1, 1, 2, 1)


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
    padded = np.asarray(jax.jit(pad, static_argnums=(1, 2))(image, 2, mode))
    np.testing.assert_array_equal(padded[2], expected)
    turned = np.asarray(jax.jit(pad, static_argnums=(1, 2))(image.T, 2, mode))
    np.testing.assert_array_equal(turned[:, 2], expected)


@pytest.mark.parametrize(("mode", "padding"), [("reflect", 3), ("circular", 4)])
def test_padding_with_more_pixels_than_there_are_is_refused(mode, padding) -> None:
    jax.eval_shape(lambda image: pad(image, padding - 1, mode), ones(3, 5))
    with pytest.raises(UserError, match=f"{mode} padding of {padding} needs a larger image"):
        pad(ones(3, 5), padding, mode)


def test_padding_says_what_it_reads() -> None:
    image = ones(3, 5)
    with pytest.raises(
        UserError, match="unknown padding mode 'mirror'; choose from zeros, reflect, rep"
    ):
        inspect.unwrap(pad)(image, 1, "mirror")
    with pytest.raises(UserError, match="padding must be at least 0, got -1"):
        pad(image, -1)
    with pytest.raises(UserError, match=r"a height and a width, got an array of shape \(5,\)"):
        inspect.unwrap(pad)(image[0], 1)


def test_the_double_sum_is_scipys_correlation() -> None:
    image, kernel = draw("image", (13, 11)), draw("kernel", (5, 3))
    full = scipy.signal.correlate2d(image, kernel, mode="valid")
    for stride in (1, 2, 3):
        ours = jax.jit(functools.partial(convolve2d, stride=stride))(image, kernel)
        np.testing.assert_allclose(ours, full[::stride, ::stride], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("key", [key for key in FIXTURE if key.startswith("conv/")])
def test_every_mode_stride_and_padding_is_pytorchs(key) -> None:
    _, mode, stride, padding = key.split("/")
    batch, kernel, bias = draw("image", (2, 3, 11, 7)), draw("k", (5, 3, 3, 3)), draw("b", (5,))

    conv = functools.partial(convolve, stride=int(stride), padding=int(padding), padding_mode=mode)
    conv = jax.jit(jax.vmap(conv, in_axes=(0, None, None)))
    ours = conv(channels_last(batch), kernel.transpose(2, 3, 1, 0), bias)
    np.testing.assert_allclose(ours, channels_last(FIXTURE[key]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [5, 7, 8])
@pytest.mark.parametrize(("f", "stride", "padding"), [(3, 1, 1), (3, 2, 0), (5, 3, 2), (2, 2, 1)])
def test_the_definition_is_xlas_convolution(size, f, stride, padding) -> None:
    @jax.jit
    def both(image: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
        theirs = lax.conv_general_dilated(
            image[None], kernel, (stride,) * 2, [(padding, padding)] * 2, dimension_numbers=NHWC
        )[0]
        return convolve(image, kernel, stride=stride, padding=padding), theirs

    ours, theirs = both(draw("image", (size, size + 3, 3)), draw("kernel", (f, f, 3, 2)))
    assert ours.shape == (
        output_size(size, f, stride, padding),
        output_size(size + 3, f, stride, padding),
        2,
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_deck_001s_volume() -> None:
    assert jax.eval_shape(convolve, ones(6, 6, 3), ones(3, 3, 3, 10)).shape == (4, 4, 10)


def test_convolution_commutes_with_translation() -> None:
    image, kernel = draw("image", (7, 11)), draw("kernel", (3, 3))

    @jax.jit
    def around(x: jax.Array) -> jax.Array:
        return convolve2d(x, kernel, padding=1, padding_mode="circular")

    moved = around(np.roll(image, (2, 5), axis=(0, 1)))
    np.testing.assert_allclose(moved, np.roll(around(image), (2, 5), axis=(0, 1)), atol=1e-5)


def test_edge_filters_answer_to_their_own_edge_alone() -> None:
    half = np.repeat([[10.0, 10.0, 10.0, 0.0, 0.0, 0.0]], 6, axis=0).astype(np.float32)
    answer = np.repeat([[0.0, 30.0, 30.0, 0.0]], 4, axis=0)
    conv = jax.jit(convolve2d)
    np.testing.assert_array_equal(conv(half, VERTICAL_EDGES), answer)
    np.testing.assert_array_equal(conv(half, HORIZONTAL_EDGES), np.zeros((4, 4)))
    np.testing.assert_array_equal(conv(half.T, HORIZONTAL_EDGES), answer.T)


@pytest.mark.parametrize("kernel", [VERTICAL_EDGES, HORIZONTAL_EDGES])
def test_a_filter_learned_from_the_edge_image_is_the_edge_filter(kernel) -> None:
    image = draw("image", (29, 31))
    target = scipy.signal.correlate2d(image, kernel, mode="valid")
    learn = jax.jit(lambda image, target: learn_kernel(image, target, optax.sgd(0.3), steps=60))
    learned, errors = map(np.asarray, learn(image, target))
    np.testing.assert_allclose(learned, kernel, atol=1e-4)
    np.testing.assert_allclose(errors[0], np.mean(target**2), rtol=1e-5)
    assert errors[-1] < 1e-8 * errors[0]
