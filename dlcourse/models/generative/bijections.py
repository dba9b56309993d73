"""Invertible maps of one variable, and of several by couplings: the layers of a normalizing flow.

A `Bijection` is called in both directions. Values and log-determinants are float32 at any
precision; only the networks inside follow the precision of their weights.
"""

from collections.abc import Callable
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dlcourse.errors import UserError
from dlcourse.models.generative.splines import rational_quadratic

Batch = Float[Array, "batch *axes"]
LogDet = Float[Array, " batch"]
Mask = Literal["checkerboard", "halves"]


class Bijection(nn.Module):
    """An invertible map F of each example, with its log-determinant.

    (z, log |det dF/dx|) = F(x),    (x, log |det dF⁻¹/dz|) = F(z, inverse=True)
    """

    def __call__(
        self, x: Batch, context: Batch | None = None, *, inverse: bool = False
    ) -> tuple[Batch, LogDet]:
        """The image of x, of the same shape, and the log-determinant of each example.

        Args:
            x: the examples; in the inverse direction those of the latent space.
            context: what the map may depend on besides, with the axes of x.
            inverse: the direction.
        """
        raise NotImplementedError


class Transform(nn.Module):
    """A family of increasing functions of one variable; parameters of 0 give the identity."""

    @property
    def size(self) -> int:
        """The number of parameters of a function."""
        raise NotImplementedError

    def __call__(
        self, x: Batch, given: Float[Array, "*shape size"], *, inverse: bool = False
    ) -> tuple[Batch, Batch]:
        """The value at each element of x, and the logarithm of the slope there."""
        raise NotImplementedError


class Affine(Transform):
    """The functions `y = x exp(s) + t` with a bounded s.

        s = c tanh(a / c),    the parameters are (a, t)

    The bound c > 0 is learned for each channel; it begins at 1. Source: Dinh, Sohl-Dickstein and
    Bengio 2017 (RealNVP), section 3.
    """

    @property
    def size(self) -> int:
        return 2

    @nn.compact
    def __call__(
        self, x: Batch, given: Float[Array, "*shape size"], *, inverse: bool = False
    ) -> tuple[Batch, Batch]:
        log_bound = self.param("log_bound", nn.initializers.zeros_init(), x.shape[-1:])
        bound = jnp.exp(log_bound.astype(jnp.float32))
        bound = bound.reshape((1,) * (x.ndim - 1) + (-1,))
        s, t = bound * jnp.tanh(given[..., 0] / bound), given[..., 1]
        return ((x - t) * jnp.exp(-s), -s) if inverse else (x * jnp.exp(s) + t, s)


class Spline(Transform):
    """Monotone rational-quadratic splines on [-B, B], continued as the identity.

    `rational_quadratic` has the equations. The parameters are K widths, K heights and K - 1 slopes.
    Source: Durkan, Bekasov, Murray and Papamakarios 2019.

    Attributes:
        bins: K.
        bound: B.
    """

    bins: int = 8
    bound: float = 5.0

    @property
    def size(self) -> int:
        return 3 * self.bins - 1

    def __call__(
        self, x: Batch, given: Float[Array, "*shape size"], *, inverse: bool = False
    ) -> tuple[Batch, Batch]:
        return rational_quadratic(x, given, self.bound, inverse=inverse)


class Elementwise(Bijection):
    """A learned function of its own for each coordinate: z_i = f_i(x_i).

    Attributes:
        transform: makes the family of the f_i, such as `Spline`.
    """

    transform: Callable[[], Transform]

    @nn.compact
    def __call__(
        self, x: Batch, context: Batch | None = None, *, inverse: bool = False
    ) -> tuple[Batch, LogDet]:
        transform = self.transform()
        shape = (*x.shape[1:], transform.size)
        given = self.param("given", nn.initializers.zeros_init(), shape).astype(jnp.float32)
        given = jnp.broadcast_to(given[None], (x.shape[0], *shape))
        y, log_slope = transform(x, given, inverse=inverse)
        return y, per_example(log_slope)


class Coupling(Bijection):
    """Half of the coordinates, moved by functions that depend on the other half.

        z_A = x_A,    z_B = f(x_B; θ(x_A, context))

    The Jacobian is triangular, so its determinant is the product of the slopes of f. The network
    that gives θ is never inverted. Its last layer is initialised to zero: a new coupling is the
    identity. Source: Dinh, Sohl-Dickstein and Bengio 2017.

    Attributes:
        transform: makes the family of f: `Affine` or `Spline`.
        network: makes the network, which turns x_A (the rest is 0) into features of as many axes; a
            linear layer follows.
        mask: how the coordinates are halved, see `mask_of`.
        flip: exchanges the halves.

    Raises:
        UserError: the mask does not fit the shape.
    """

    transform: Callable[[], Transform]
    network: Callable[[], nn.Module]
    mask: Mask = "halves"
    flip: bool = False

    @nn.compact
    def __call__(
        self, x: Batch, context: Batch | None = None, *, inverse: bool = False
    ) -> tuple[Batch, LogDet]:
        transform = self.transform()
        channels, size = x.shape[-1], transform.size
        fixed = mask_of(self.mask, x.shape[1:])[None] != self.flip
        bias = self.param("bias", nn.initializers.zeros_init(), (channels * size,))
        seen = jnp.where(fixed, x, 0.0)
        seen = seen if context is None else jnp.concatenate([seen, context], axis=-1)
        # In the precision of the weights; from the parameters on everything is float32.
        h = nn.relu(self.network()(seen.astype(bias.dtype)))
        kernel = self.param("kernel", nn.initializers.zeros_init(), (h.shape[-1], bias.size))
        given = h @ kernel + bias.reshape((1,) * (h.ndim - 1) + (-1,))
        given = given.astype(jnp.float32).reshape(*x.shape, size)
        y, log_slope = transform(x, given, inverse=inverse)
        return jnp.where(fixed, x, y), per_example(jnp.where(fixed, 0.0, log_slope))


class InvertibleConv(Bijection):
    """The invertible 1x1 convolution: every pixel times one matrix.

        z = W x,    W = L (U + diag(exp(d))) P,    log |det| = height · width · Σ d

    with L unit lower triangular, U strictly upper triangular and P fixed: it reverses the channels.
    A new layer is P, which exchanges the halves for the next coupling. Source: Kingma and Dhariwal
    2018 (Glow), section 3.2. Deviation: P and the initial L, U are not those of a random rotation,
    so the determinant stays positive up to the sign of P.
    """

    @nn.compact
    def __call__(
        self, x: Batch, context: Batch | None = None, *, inverse: bool = False
    ) -> tuple[Batch, LogDet]:
        channels = x.shape[-1]
        zeros = nn.initializers.zeros_init()
        square = (channels, channels)
        lower, upper = (
            self.param(name, zeros, square).astype(jnp.float32) for name in ("lower", "upper")
        )
        d = self.param("log_diagonal", zeros, (channels,)).astype(jnp.float32)
        lower = jnp.tril(lower, -1) + jnp.eye(channels)
        upper = jnp.triu(upper, 1) + jnp.diag(jnp.exp(d))
        if inverse:
            solve = jax.scipy.linalg.solve_triangular
            flat = x.reshape(-1, channels).T
            z = solve(upper, solve(lower, flat, lower=True, unit_diagonal=True)).T
            y = z.reshape(x.shape)[..., ::-1]
        else:
            # On an accelerator the default precision would be too low to invert.
            exact = jax.lax.Precision.HIGHEST
            y = jnp.matmul(x[..., ::-1], jnp.matmul(lower, upper, precision=exact).T,
                           precision=exact)  # fmt: skip
        log_det = jnp.sum(d) * np.prod(x.shape[1:-1], initial=1.0)
        return y, jnp.broadcast_to(-log_det if inverse else log_det, x.shape[:1])


def per_example(values: Batch) -> LogDet:
    """The sum over all axes but the first."""
    return jnp.sum(values.reshape(values.shape[0], -1), axis=1)


def mask_of(kind: Mask, shape: tuple[int, ...]) -> np.ndarray:
    """Which coordinates of an example a coupling leaves as they are, booleans of `shape`.

    Args:
        kind: `checkerboard`: the pixels (i, j) of an image with i + j odd. `halves`: the first half
            of the channels, or of the coordinates of a point.
        shape: of an example, channels last.

    Raises:
        UserError: a checkerboard of something that is not an image, or halves of one channel.
    """
    if kind == "checkerboard":
        if len(shape) != 3:
            raise UserError(f"A checkerboard mask needs images, got examples of shape {shape}.")
        board = np.indices(shape[:2]).sum(0) % 2 == 1
        return np.broadcast_to(board[..., None], shape)
    if shape[-1] < 2:
        raise UserError(
            f"A coupling of halves needs 2 channels, got examples of shape {shape}; "
            "squeeze first, or use a checkerboard mask."
        )
    return np.broadcast_to(np.arange(shape[-1]) < shape[-1] // 2, shape)
