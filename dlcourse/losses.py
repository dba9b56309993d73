"""Losses and regularizers: pure functions of arrays. A loss gives one value an example.

A cost is the mean of a loss over the examples (deck 001: the loss is one example's, the cost the
data set's); the learner takes it. Logits of half precision are raised to float32 first.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Num, PyTree

from dlcourse import boundaries, parameters

# Classification


def softmax_cross_entropy(
    logits: Float[Array, "batch *rest classes"],
    labels: Int[Array, "batch *rest"],
    *,
    smoothing: float = 0.0,
) -> Float[Array, "batch *rest"]:
    """`-log softmax(logits)[label]`, the negative log-likelihood of the label (deck 003).

    With label smoothing s (Szegedy et al., 2016) the target is `1 - s` on the label plus
    `s / classes` everywhere, instead of 1 on the label.
    """
    log_probs = jax.nn.log_softmax(_at_least_float32(logits))
    loss = negative_log_likelihood(log_probs, labels)
    return (1 - smoothing) * loss - smoothing * jnp.mean(log_probs, -1) if smoothing else loss


def soft_cross_entropy(
    logits: Float[Array, "batch *rest classes"], targets: Num[Array, "batch *rest classes"]
) -> Float[Array, "batch *rest"]:
    """`-Σ_j y_j log softmax(logits)_j`: cross-entropy as deck 003 writes it, for any target.

    One-hot targets make it `softmax_cross_entropy`; mixup's and a teacher's lie between.
    """
    log_probs = jax.nn.log_softmax(_at_least_float32(logits))
    # `where`: a class ruled out by a logit of -inf costs nothing if its target is 0.
    return -jnp.sum(jnp.where(targets == 0, 0.0, targets * log_probs), axis=-1)


def sigmoid_cross_entropy(
    logits: Float[Array, "batch *rest"], labels: Num[Array, "batch *rest"]
) -> Float[Array, "batch *rest"]:
    """`-(y log a + (1 - y) log(1 - a))` with `a = σ(logit)`: binary cross-entropy (deck 001).

    `log a` comes from the logit, not from a, so that neither end overflows. y is 0, 1 or between.
    """
    _check_shapes(logits, labels)
    logits = _at_least_float32(logits)
    labels = labels.astype(logits.dtype)
    return -labels * jax.nn.log_sigmoid(logits) - (1 - labels) * jax.nn.log_sigmoid(-logits)


def negative_log_likelihood(
    log_probs: Float[Array, "batch *rest classes"], labels: Int[Array, "batch *rest"]
) -> Float[Array, "batch *rest"]:
    """`-log P(y)`, from log-probabilities that a model has normalised itself (deck 001).

    With `log_probs = log_softmax(logits)` it is cross-entropy: the decks' two costs are one.
    """
    return -jnp.take_along_axis(log_probs, labels[..., None], axis=-1)[..., 0]


def kl_divergence(
    log_p: Float[Array, "batch *rest classes"], log_q: Float[Array, "batch *rest classes"]
) -> Float[Array, "batch *rest"]:
    """`KL(p ‖ q) = Σ_j p_j (log p_j - log q_j)`, from log-probabilities (deck 003).

    A class with `p_j = 0` adds nothing; one with `q_j = 0 < p_j` makes it infinite.
    """
    p = jnp.exp(log_p)
    return jnp.sum(p * jnp.where(p > 0, log_p - log_q, 0.0), axis=-1)


# Regression


def squared_error(
    predictions: Float[Array, "batch *rest"], targets: Num[Array, "batch *rest"]
) -> Float[Array, "batch *rest"]:
    """`(y - ŷ)²`, the term of least squares (deck 001). Deck 002's worked network halves it."""
    _check_shapes(predictions, targets)
    return (predictions - targets) ** 2


def huber(
    predictions: Float[Array, "batch *rest"],
    targets: Num[Array, "batch *rest"],
    delta: float = 1.0,
) -> Float[Array, "batch *rest"]:
    """Least squares near the target, least absolute error far from it (Huber, 1964).

    ½ e²            where |e| ≤ δ, with e = y - ŷ
    δ (|e| - ½ δ)   elsewhere
    """
    _check_shapes(predictions, targets)
    error = jnp.abs(predictions - targets)
    near = jnp.minimum(error, delta)
    return near * (error - 0.5 * near)


# Generative adversarial networks. D(x) = σ(logit) is the probability that x is real.


def gan_discriminator(
    real_logits: Float[Array, " batch"], fake_logits: Float[Array, " batch"]
) -> Float[Array, " batch"]:
    """`-log D(x) - log(1 - D(G(z)))`: what the discriminator minimises.

    It is minus the value of the game, `min_G max_D E[log D(x)] + E[log(1 - D(G(z)))]`
    (Goodfellow et al., 2014). Deck 003 prints the min and the max the other way round. At an
    undecided D = ½ it is `log 4`.
    """
    return -jax.nn.log_sigmoid(real_logits) - jax.nn.log_sigmoid(-fake_logits)


def gan_generator_minimax(fake_logits: Float[Array, " batch"]) -> Float[Array, " batch"]:
    """`log(1 - D(G(z)))`: the generator's side of the minimax game (deck 003).

    Its gradient in the logit is -D(G(z)), which vanishes where D is sure of the fake.
    """
    return jax.nn.log_sigmoid(-fake_logits)


def gan_generator_non_saturating(fake_logits: Float[Array, " batch"]) -> Float[Array, " batch"]:
    """`-log D(G(z))`: the generator's loss as deck 003 writes it.

    The same fixed point as the minimax form, and a gradient of D(G(z)) - 1 in the logit, which is
    steepest where D is sure of the fake.
    """
    return -jax.nn.log_sigmoid(fake_logits)


# Regularizers, of a parameter tree. `mask(params)` tells which leaves count: the kernels.


def l1(params: PyTree, mask: Callable = parameters.kernels) -> Float[Array, ""]:
    """`Σ |W|` over the kernels (deck 001, lasso): it makes weights exactly small, many of them 0.

    The deck's cost over m training examples is `J + λ/m · l1(params)`, of gradient `λ/m sign(W)`.
    """
    return _sum_over(mask, params, jnp.abs)


def l2(params: PyTree, mask: Callable = parameters.kernels) -> Float[Array, ""]:
    """`½ Σ W²` over the kernels (deck 001, ridge).

    The deck's cost over m training examples is `J + λ/m · l2(params)`, that is `λ/2m Σ W²`, of
    gradient `λ/m W`.
    """
    return 0.5 * _sum_over(mask, params, jnp.square)


def _sum_over(mask: Callable, params: PyTree, function: Callable) -> Float[Array, ""]:
    sums = jax.tree.map(
        lambda counts, x: jnp.sum(function(x)) if counts else 0.0, mask(params), params
    )
    return jax.tree.reduce(jnp.add, sums, jnp.zeros(()))


def _at_least_float32(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _check_shapes(predictions: Array, targets: Array) -> None:
    """Broadcasting `[batch, 1]` against `[batch]` would silently compare every pair."""
    if predictions.shape != targets.shape:
        raise ValueError(f"predictions {predictions.shape} and targets {targets.shape} differ")


# Segmentation: a class for every pixel. A loss gives one value an image.


def pixel_cross_entropy(
    logits: Float[Array, "batch height width classes"],
    labels: Int[Array, "batch height width"],
    weights: Float[Array, "batch height width"] | None = None,
    *,
    ignore: int | None = None,
) -> Float[Array, " batch"]:
    """`-1/N Σ_i w_i log softmax(logits_i)[label_i]`, over the N pixels i of an image (deck 003).

    Without weights this is the deck's categorical cross-entropy, with `boundary_weights` its
    shape-aware loss. The sum is divided by N and not by the weights' sum, as the deck has it.

    Arguments:
        ignore: the label of pixels of no known class. They cost nothing and are not counted in N;
            an image that has no others costs 0.
    """
    counted, labels = _counted(logits, labels, ignore)
    costs = negative_log_likelihood(jax.nn.log_softmax(_at_least_float32(logits)), labels)
    costs = costs if weights is None else weights * costs
    total = jnp.sum(jnp.where(counted, costs, 0.0), axis=(1, 2))
    return total / jnp.maximum(jnp.sum(counted, axis=(1, 2)), 1)


def dice(
    logits: Float[Array, "batch height width classes"],
    labels: Int[Array, "batch height width"],
    *,
    ignore: int | None = None,
) -> Float[Array, " batch"]:
    """`1 - mean_c [ 2 Σ_i y_ic ŷ_ic / (Σ_i y_ic + Σ_i ŷ_ic) ]` with `ŷ = softmax` (deck 003).

    The deck writes it for one class. Here the mean is over the classes that the image shows: of
    a class that it does not show, the fraction is 0 whatever ŷ is, and there is nothing to learn.
    What is predicted of it still costs, through the ŷ that the others lack.

    Arguments:
        ignore: as in `pixel_cross_entropy`.
    """
    counted, labels = _counted(logits, labels, ignore)
    counted = counted[..., None]
    target = jax.nn.one_hot(labels, logits.shape[-1]) * counted
    predicted = jax.nn.softmax(_at_least_float32(logits)) * counted
    size = jnp.sum(target, axis=(1, 2))
    # A class that is absent has size 0; the floor keeps its fraction finite.
    both = jnp.maximum(size + jnp.sum(predicted, axis=(1, 2)), 1e-6)
    fraction = 2 * jnp.sum(target * predicted, axis=(1, 2)) / both
    shown = jnp.sum(size > 0, axis=-1)
    return jnp.where(shown > 0, 1 - jnp.sum(fraction, axis=-1) / jnp.maximum(shown, 1), 0.0)


def boundary_weights(
    labels: Int[Array, "batch height width"],
    *,
    height: float = 10.0,
    width: float = 5.0,
    ignore: int | None = None,
) -> Float[Array, "batch height width"]:
    """`w(x) = 1 + height · exp(-d(x)² / 2 width²)`, d the distance to the nearest class boundary.

    The weights of deck 003's shape-aware loss, after U-Net's (Ronneberger et al., 2015, equation 2,
    w0 = 10 and σ = 5 pixels). Theirs pulls cells of one class apart and so adds the distances to
    the two nearest cells; classes have one boundary between them, so d stands alone here. Their
    balance of class frequencies is left to `median_frequency_weights`. Beyond 4 widths the weight
    is 1.
    """
    counted = jnp.ones(labels.shape, bool) if ignore is None else labels != ignore
    boundary = boundaries.boundary(labels, counted)
    squared = boundaries.squared_distance(boundary, reach=math.ceil(4 * width))
    return 1 + height * jnp.exp(-squared / (2 * width**2))


def median_frequency_weights(
    pixels: Int[Array, "images classes"] | np.ndarray,
) -> Float[Array, " classes"]:
    """`w_c = median(f) / f_c`: rare classes cost more (Eigen and Fergus, 2015, section 6.3.2).

        f_c = pixels of class c / known pixels of the images that show class c

    Without it a network may do well to find no pole at all. `w[labels]` are the `weights` of
    `pixel_cross_entropy`.

    Args:
        pixels: how many pixels of each class each training image shows. The weight of a class that
            none shows is 0.
    """
    pixels = jnp.asarray(pixels, jnp.float32)
    shown = pixels > 0
    known = jnp.sum(jnp.where(shown, jnp.sum(pixels, axis=1, keepdims=True), 0.0), axis=0)
    frequency = jnp.sum(pixels, axis=0) / known  # NaN where the class is never shown
    return jnp.nan_to_num(jnp.nanmedian(frequency) / frequency)


def _counted(
    logits: Float[Array, "batch height width classes"],
    labels: Int[Array, "batch height width"],
    ignore: int | None,
) -> tuple[Bool[Array, "batch height width"], Int[Array, "batch height width"]]:
    """Which pixels count, and the labels with a class in the place of the ignored label."""
    _check_shapes(logits[..., 0], labels)
    if ignore is None:
        return jnp.ones(labels.shape, bool), labels
    return labels != ignore, jnp.where(labels == ignore, 0, labels)
