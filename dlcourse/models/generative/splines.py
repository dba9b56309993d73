"""Monotone rational-quadratic splines with an exact inverse."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

LEAST = 1e-3  # width and height of a bin, as a share of the interval, and slope at a knot


def rational_quadratic(
    x: Float[Array, "*shape"],
    given: Float[Array, "*shape parameters"],
    bound: float,
    *,
    inverse: bool = False,
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """An increasing function of each x and its log-slope, or the inverse function and its own.

    Between the knots (x_k, y_k) and (x_k+1, y_k+1), with ξ = (x - x_k) / w_k, s = h_k / w_k and the
    slopes d_k at the knots (Durkan et al. 2019, equations 4 and 5):

        y     = y_k + h_k (s ξ² + d_k ξ(1-ξ)) / (s + (d_k+1 + d_k - 2s) ξ(1-ξ))
        dy/dx = s² (d_k+1 ξ² + 2s ξ(1-ξ) + d_k (1-ξ)²) / (s + (d_k+1 + d_k - 2s) ξ(1-ξ))²

    The inverse solves a quadratic equation for ξ. Outside of [-B, B] the function is the identity,
    so the outermost slopes are 1. Parameters of 0 give the identity everywhere.

    Args:
        x: the arguments, of the inverse function in that direction.
        given: K unnormalised widths, K heights and K - 1 slopes.
        bound: B.
        inverse: the direction.
    """
    bins = (given.shape[-1] + 1) // 3
    left, widths = _bins(given[..., :bins], bound)
    low, heights = _bins(given[..., bins : 2 * bins], bound)
    # softplus(a + c) with the c for which a slope of parameter 0 is 1.
    slopes = LEAST + jax.nn.softplus(given[..., 2 * bins :] + np.log(np.expm1(1 - LEAST)))
    slopes = jnp.pad(slopes, [(0, 0)] * x.ndim + [(1, 1)], constant_values=1.0)
    inside = jnp.abs(x) < bound
    place = jnp.clip(x, -bound, bound)
    edges = low if inverse else left
    number = jnp.sum(place[..., None] >= edges[..., 1:], axis=-1)
    # A sum over all bins is faster than a gather, whose gradient is a scatter.
    chosen = jax.nn.one_hot(number, bins)
    x_k, w, y_k, h, d, d_next = (
        jnp.sum(chosen * each, axis=-1)
        for each in (left, widths, low, heights, slopes[..., :-1], slopes[..., 1:])
    )
    s = h / w
    bend = d_next + d - 2 * s
    if inverse:
        rise = place - y_k
        a, b, c = h * (s - d) + rise * bend, h * d - rise * bend, -s * rise
        xi = 2 * c / (-b - jnp.sqrt(jnp.maximum(b**2 - 4 * a * c, 0.0)))
    else:
        xi = (place - x_k) / w
    between = xi * (1 - xi)
    below = s + bend * between
    log_slope = 2 * jnp.log(s / below) + jnp.log(
        d_next * xi**2 + 2 * s * between + d * (1 - xi) ** 2
    )
    y = x_k + w * xi if inverse else y_k + h * (s * xi**2 + d * between) / below
    return (
        jnp.where(inside, y, x),
        jnp.where(inside, -log_slope if inverse else log_slope, 0.0),
    )


def _bins(
    given: Float[Array, "*shape bins"], bound: float
) -> tuple[Float[Array, "*shape bins"], Float[Array, "*shape bins"]]:
    """Where each bin of [-B, B] begins, and its length."""
    count = given.shape[-1]
    lengths = 2 * bound * (LEAST + (1 - LEAST * count) * jax.nn.softmax(given, axis=-1))
    begins = jnp.cumsum(lengths, axis=-1) - lengths - bound
    return begins, lengths
