"""Losses of segmentation, where every pixel has a class, and weights of its pixels."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from dlcourse import boundaries
from dlcourse.losses.arguments import at_least_float32, replace_ignored
from dlcourse.losses.classification import negative_log_likelihood
from dlcourse.metrics import Weighted


def pixel_cross_entropy(
    logits: Float[Array, "batch height width classes"],
    labels: Int[Array, "batch height width"],
    weights: Float[Array, "batch height width"] | None = None,
    *,
    ignore: int | None = None,
) -> Weighted:
    """`-w_i log softmax(logits_i)[label_i]` for each pixel i.

    Deck 003 writes the cost of one image with N pixels:

        J = 1/N Σ_i -w_i log softmax(logits_i)[label_i]

    With w = 1 it is the deck's categorical cross-entropy, with `boundary_weights` its shape-aware
    loss. The mean of the returned values is this J for a batch of one image. For a batch, N is
    the number of counted pixels in all images, as in PyTorch's `ignore_index`. The sum is divided
    by N and not by the sum of w, as in the deck.

    Args:
        logits: one score for each class.
        labels: the number of the right class.
        weights: w, such as `boundary_weights` or `median_frequency_weights`; 1 by default.
        ignore: the label of pixels of unknown class. It may be any number, also a negative one.

    Returns:
        Values and weights `[batch, height, width]`. Ignored pixels have value 0 and weight 0, the
        others weight 1: w multiplies the value, not the weight.

    Raises:
        ValueError: the shapes of logits and labels do not match.
    """
    logits, labels, counted = replace_ignored(logits, labels, ignore)
    values = negative_log_likelihood(jax.nn.log_softmax(at_least_float32(logits)), labels)
    if weights is not None:
        values = weights * values
    return Weighted(jnp.where(counted, values, 0.0), counted.astype(values.dtype))


def dice(
    logits: Float[Array, "batch height width classes"],
    labels: Int[Array, "batch height width"],
    *,
    ignore: int | None = None,
) -> Weighted:
    """`1 - mean_c [ 2 Σ_i y_ic ŷ_ic / (Σ_i y_ic + Σ_i ŷ_ic) ]` with `ŷ = softmax` (deck 003).

    The deck gives the formula for one class. Here the mean is over the classes c that occur in
    the image. The fraction of an absent class is 0 for every ŷ, so that it has no gradient. A
    pixel predicted as an absent class still costs, since ŷ of the present classes is smaller.

    Args:
        logits: one score for each class.
        labels: the number of the right class.
        ignore: the label of pixels that are left out of all sums. It may be any number.

    Returns:
        Values and weights `[batch]`: weight 1, or value 0 and weight 0 for an image without any
        known class.

    Raises:
        ValueError: the shapes of logits and labels do not match.
    """
    logits, labels, counted = replace_ignored(logits, labels, ignore)
    target = jax.nn.one_hot(labels, logits.shape[-1]) * counted[..., None]
    predicted = jax.nn.softmax(at_least_float32(logits)) * counted[..., None]
    size = jnp.sum(target, axis=(1, 2))
    # The floor keeps the fraction of an absent class, whose size is 0, finite.
    both = jnp.maximum(size + jnp.sum(predicted, axis=(1, 2)), 1e-6)
    fraction = 2 * jnp.sum(target * predicted, axis=(1, 2)) / both
    present = jnp.sum(size > 0, axis=-1)
    values = 1 - jnp.sum(fraction, axis=-1) / jnp.maximum(present, 1)
    return Weighted(jnp.where(present > 0, values, 0.0), (present > 0).astype(values.dtype))


def boundary_weights(
    labels: Int[Array, "batch height width"],
    *,
    height: float = 10.0,
    width: float = 5.0,
    ignore: int | None = None,
) -> Float[Array, "batch height width"]:
    """`w(x) = 1 + height · exp(-d(x)² / 2 width²)`, d the distance to the nearest class boundary.

    The weights of deck 003's shape-aware loss, after U-Net (Ronneberger et al., 2015, equation 2,
    with w0 = 10 and σ = 5 pixels). Deviations from the paper: it separates touching cells of one
    class and adds the distances to the two nearest cells; here d is the distance to one boundary.
    It also balances the class frequencies, for which `median_frequency_weights` exists.

    Args:
        labels: the number of each pixel's class.
        height: the additional weight on a boundary.
        width: the standard deviation in pixels. Beyond 4 widths the weight is 1.
        ignore: the label of pixels of unknown class, which have no boundary.
    """
    counted = jnp.ones(labels.shape, bool) if ignore is None else labels != ignore
    boundary = boundaries.boundary(labels, counted)
    squared = boundaries.squared_distance(boundary, reach=math.ceil(4 * width))
    return 1 + height * jnp.exp(-squared / (2 * width**2))


def median_frequency_weights(
    pixels: Int[Array, "images classes"] | np.ndarray,
) -> Float[Array, " classes"]:
    """`w_c = median(f) / f_c`: larger weights for rare classes.

        f_c = pixels of class c / known pixels of the images in which class c occurs

    Source: Eigen and Fergus, 2015, section 6.3.2. Without them a network can reach a low loss and
    never predict a rare class. `w[labels]` are the `weights` of `pixel_cross_entropy`.

    Args:
        pixels: the number of pixels of each class in each training image. A class that occurs in
            none of them gets weight 0.
    """
    pixels = jnp.asarray(pixels, jnp.float32)
    shown = pixels > 0
    known = jnp.sum(jnp.where(shown, jnp.sum(pixels, axis=1, keepdims=True), 0.0), axis=0)
    frequency = jnp.sum(pixels, axis=0) / known  # NaN where the class never occurs
    return jnp.nan_to_num(jnp.nanmedian(frequency) / frequency)
