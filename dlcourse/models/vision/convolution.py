"""Convolution: the decks' definition, and the layer that the models use."""

import functools
from collections.abc import Callable
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float

from dlcourse.errors import UserError
from dlcourse.models.vision.fast_convolution import convolve_batch
from dlcourse.models.vision.shapes import check_axes, check_filters, check_images, output_size

AnyArray = Array | np.ndarray
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]

# Deck 001's two edge filters: differences of columns and of rows.
VERTICAL_EDGES = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]], np.float32)
HORIZONTAL_EDGES = VERTICAL_EDGES.T


def pad(
    image: Float[AnyArray, "height width *channels"], padding: int, mode: PaddingMode = "zeros"
) -> Float[Array, "rows columns *channels"]:
    """Adds `padding` pixels on every side of an image, in one of deck 003's four modes.

    For the row `a b c` and a padding of 2: zeros `0 0 a b c 0 0`, reflect `c b a b c b a`,
    replicate `a a a b c c c`, circular `b c a b c a b`.

    Raises:
        UserError: the image is too small to reflect or wrap by `padding`, or has fewer than two
            axes; the mode is unknown; or `padding` is negative.
    """
    names = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in names:
        raise UserError(f"unknown padding mode '{mode}'; choose from {', '.join(names)}")
    if padding < 0:
        raise UserError(f"padding must be at least 0, got {padding}")
    if image.ndim < 2:
        raise UserError(f"an image needs a height and a width, got an array of shape {image.shape}")
    most = {"reflect": min(image.shape[:2]) - 1, "circular": min(image.shape[:2])}
    if padding > most.get(mode, padding):
        raise UserError(
            f"{mode} padding of {padding} needs a larger image than {image.shape[:2]}, "
            f"which allows at most {most[mode]}"
        )
    border = [(padding, padding)] * 2 + [(0, 0)] * (image.ndim - 2)
    return jnp.pad(image, border, mode=names[mode])


def convolve2d(
    image: Float[AnyArray, "height width"],
    kernel: Float[AnyArray, "f g"],
    *,
    stride: int = 1,
    padding: int = 0,
    padding_mode: PaddingMode = "zeros",
) -> Float[Array, "rows columns"]:
    """The two-dimensional convolution of one channel with one filter (deck 003).

        y_ij = sum_{m=0}^{f-1} sum_{n=0}^{g-1} w_mn x_{si+m, sj+n}

    on the padded image x, with the stride s; the deck counts m and n from 1. The filter is not
    flipped: mathematics calls this sum a cross-correlation, deep learning a convolution.

    Args:
        image: x.
        kernel: w, the filter.
        stride: s, the step of the filter in both directions.
        padding: the number of pixels added on every side of the image.
        padding_mode: the values of these pixels, see `pad`.

    Raises:
        UserError: the filter is larger than the padded image, an array has the wrong number of
            axes, or the stride or the padding is invalid (see `output_size` and `pad`).
    """
    check_axes("an image", image, "height width")
    check_axes("a kernel", kernel, "height width")
    (height, width), (f, g) = image.shape, kernel.shape
    rows = output_size(height, f, stride, padding)
    columns = output_size(width, g, stride, padding)
    x = pad(image, padding, padding_mode)

    def term(m: int, n: int) -> Array:
        last_row, last_column = m + stride * (rows - 1), n + stride * (columns - 1)
        return kernel[m, n] * x[m : last_row + 1 : stride, n : last_column + 1 : stride]

    return sum((term(m, n) for m in range(f) for n in range(g)), jnp.zeros((rows, columns)))


def convolve(
    image: Float[AnyArray, "height width channels"],
    kernel: Float[AnyArray, "f g channels filters"],
    bias: Float[Array, " filters"] | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    padding_mode: PaddingMode = "zeros",
) -> Float[Array, "rows columns filters"]:
    """Convolution over a volume: one output channel for each filter (deck 003).

        out(c_out) = bias(c_out) + sum_k Conv(input(k), kernel(k, c_out))

    with Conv the double sum of `convolve2d`. A 6x6x3 image and ten 3x3x3 filters give 4x4x10
    (deck 001). This is the readable definition; the models use the layer `Conv`.

    Raises:
        UserError: the filters and the image differ in the number of channels, or an argument is
            invalid for `convolve2d`.
    """
    check_axes("an image", image, "height width channels")
    check_filters(image, kernel)
    conv = functools.partial(convolve2d, stride=stride, padding=padding, padding_mode=padding_mode)
    over_channels = jax.vmap(conv, in_axes=(2, 2))
    over_filters = jax.vmap(over_channels, in_axes=(None, 3), out_axes=-1)
    out = jnp.sum(over_filters(image, kernel), axis=0)
    return out if bias is None else out + bias[None, None]


def learn_kernel(
    image: Float[AnyArray, "height width"],
    target: Float[AnyArray, "rows columns"],
    optimizer: optax.GradientTransformation,
    steps: int,
) -> tuple[Float[Array, "f g"], Float[Array, " steps"]]:
    """Learns by back-propagation the filter that maps `image` to `target` (deck 001).

        w <- w - step(dE/dw),    E(w) = mean_ij (Conv(image, w)_ij - target_ij)^2

    E is a convex quadratic in w, so w is initialised to zero. The size of the filter follows from
    the two shapes. Neighbouring pixels of a photograph are correlated, which makes the quadratic
    ill-conditioned: Adam with rate 0.05 converges in 500 steps, gradient descent does not.

    Args:
        image: the input.
        target: the desired output, without padding.
        optimizer: turns the gradient into a step.
        steps: the number of steps.

    Returns:
        The filter, and E before every step.
    """
    size = tuple(n - m + 1 for n, m in zip(image.shape, target.shape, strict=True))

    @jax.value_and_grad
    def error(kernel: Array) -> Array:
        return jnp.mean((convolve2d(image, kernel) - target) ** 2)

    def step(carry: tuple, _: None) -> tuple:
        kernel, state = carry
        value, gradient = error(kernel)
        updates, state = optimizer.update(gradient, state, kernel)
        return (optax.apply_updates(kernel, updates), state), value

    kernel = jnp.zeros(size)
    errors: Array
    (kernel, _), errors = lax.scan(step, (kernel, optimizer.init(kernel)), length=steps)
    return kernel, errors


class Conv(nn.Module):
    """The convolution layer: `convolve` for a batch of images.

    The parameters are those of `nn.Conv`: `kernel` [f, g, channels, features] and `bias`
    [features].

    Attributes:
        features: the number of filters.
        kernel_size: the height and width of the filters.
        strides: the step of the filters in both directions.
        padding: the number of zeros added on every side; or "SAME", which keeps the size at
            stride 1.
        use_bias: whether to add a bias to each output channel.
        kernel_init: the initialiser of the filters. Biases are initialised to zero.

    Raises:
        UserError: the input is not a batch of images, or too small for the filters.
    """

    features: int
    kernel_size: tuple[int, int] = (3, 3)
    strides: int = 1
    padding: int | Literal["SAME"] = "SAME"
    use_bias: bool = True
    kernel_init: Callable = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "batch rows columns features"]:
        # First, so that the message is ours: in an image without a batch axis, Flax would compare
        # the filters with the wrong axis.
        check_images(x)
        shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        y = convolve_batch(x, kernel, self.strides, self.padding)
        if not self.use_bias:
            return y
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        return y + bias.reshape(1, 1, 1, -1)
