"""Class boundaries in segmentation masks, and distances to them."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def boundary(
    labels: Int[Array, "batch height width"], counted: Bool[Array, "batch height width"]
) -> Bool[Array, "batch height width"]:
    """The pixels with a 4-neighbour of another class.

    The pixels on both sides of a boundary belong to it. The edge of the image is not a boundary,
    and neither is the edge of a region that is not counted, because its class is unknown.

    Args:
        labels: class numbers.
        counted: false for pixels of unknown class.
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
    """The squared Euclidean distance to the nearest of `pixels` in a square window.

        d²(i, j) = min_l [ l² + min_k { k² : (i + k, j + l) in pixels } ],    |k|, |l| <= reach

    The result is inf where the window contains none of `pixels`, and exact up to `reach²`. Larger
    values come from the corners of the window; a nearer pixel may then lie outside of the window.
    The two axes are processed in turn (Felzenszwalb and Huttenlocher, 2012), with a window instead
    of their lower envelope of parabolas: shifts and minima are fast on an accelerator, and the
    distances of interest are a few pixels.

    Args:
        pixels: the set of pixels.
        reach: half the width of the window, in pixels.
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
