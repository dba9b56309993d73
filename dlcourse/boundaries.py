"""Where the classes of a mask meet, and how far each pixel is from there."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def boundary(
    labels: Int[Array, "batch height width"], counted: Bool[Array, "batch height width"]
) -> Bool[Array, "batch height width"]:
    """The pixels with another class directly above, below, left or right of them.

    Both sides of a border belong to it. The frame of the image is no border, nor is the border of
    the pixels that are not counted: what class they have is not known.
    """
    found = jnp.zeros(labels.shape, bool)
    for axis in (1, 2):
        size = labels.shape[axis]
        first, second = (
            [jax.lax.slice_in_dim(x, start, start + size - 1, axis=axis) for x in (labels, counted)]
            for start in (0, 1)
        )
        meet = (first[0] != second[0]) & first[1] & second[1]
        found |= jnp.pad(meet, _pad(axis, 0, 1)) | jnp.pad(meet, _pad(axis, 1, 0))
    return found


def squared_distance(
    pixels: Bool[Array, "batch height width"], reach: int
) -> Float[Array, "batch height width"]:
    """The square of the Euclidean distance to the nearest of `pixels` within the reach.

        d²(i, j) = min_l [ l² + min_k { k² : (i + k, j + l) in pixels } ],    |k|, |l| <= reach

    The reach is a square: inf where it holds none of `pixels`. Exact up to `reach²`; more is found
    only in the square's corners, and a nearer pixel may then lie beyond its sides. One axis after
    the other (Felzenszwalb and Huttenlocher, 2012), with a window instead of their envelope of
    parabolas: shifts and minima are what an accelerator does best, and no user of a distance here
    looks further than a few pixels.
    """
    squared = jnp.where(pixels, 0.0, jnp.inf)
    for axis in (1, 2):
        squared = _lower_envelope(squared, reach, axis)
    return squared


def _lower_envelope(
    values: Float[Array, "batch height width"], reach: int, axis: int
) -> Float[Array, "batch height width"]:
    """`min_k [ values(x + k) + k² ]` along one axis, `|k| <= reach`."""
    padded = jnp.pad(values, _pad(axis, reach, reach), constant_values=jnp.inf)

    def lower(start: Int[Array, ""], lowest: Array) -> Array:
        shifted = jax.lax.dynamic_slice_in_dim(padded, start, values.shape[axis], axis)
        return jnp.minimum(lowest, shifted + (start - reach) ** 2)

    return jax.lax.fori_loop(0, 2 * reach + 1, lower, jnp.full_like(values, jnp.inf))


def _pad(axis: int, before: int, after: int) -> list[tuple[int, int]]:
    return [(before, after) if each == axis else (0, 0) for each in range(3)]
