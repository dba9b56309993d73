"""Shapley values: the contribution of each input to an output at one example.

They add up to the output less its mean over a background:

    Σ_i φ_i(x) = f(x) - mean_b f(b)
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from dlcourse.errors import UserError

# examples -> one output per example, or several
Model = Callable[[Array], Array]

MOST_FEATURES = 12


def shapley_values(
    model: Model,
    example: Float[Array, " features"],
    background: Float[Array, "background features"],
) -> Float[Array, "features *outputs"]:
    """Exact Shapley values, from all 2^n sets of features (Shapley, 1953; Lundberg and Lee, 2017).

        φ_i = Σ_{S without i} |S|! (n - |S| - 1)! / n!  [ v(S + i) - v(S) ]
        v(S) = mean over b of f(x on S, b elsewhere)

    Features outside S take their values from the background.

    Args:
        model: `[batch, features] -> [batch, *outputs]`.
        example: x.
        background: typical examples b.

    Raises:
        UserError: more than 12 features, for which the model would be evaluated on more than
            4,096 sets.
    """
    n = len(example)
    if n > MOST_FEATURES:
        raise UserError(
            f"Exact Shapley values of {n} features evaluate the model on 2^{n} sets; "
            f"for more than {MOST_FEATURES} use kernel_shap or integrated_gradients."
        )
    # Row k is the set whose members are the bits of k.
    members = (np.arange(2**n)[:, None] >> np.arange(n)[None, :]) & 1

    def value(member: Array) -> Array:
        known = jnp.broadcast_to(member[None, :] == 1, background.shape)
        return jnp.mean(model(jnp.where(known, example[None, :], background)), axis=0)

    values = jax.lax.map(value, jnp.asarray(members), batch_size=64)
    sizes = members.sum(-1)
    weights = np.array([1 / (n * math.comb(n - 1, size)) for size in range(n)])
    shapley = []
    for i in range(n):
        without = np.flatnonzero(members[:, i] == 0)
        gained = values[without + 2**i] - values[without]
        shapley.append(jnp.tensordot(jnp.asarray(weights[sizes[without]], gained.dtype), gained, 1))
    return jnp.stack(shapley)


def kernel_shap(
    model: Model,
    examples: Float[np.ndarray, "n features"],
    background: Float[np.ndarray, "background features"],
    *,
    samples: int | str = "auto",
    seed: int = 0,
) -> Float[np.ndarray, "n features *outputs"]:
    """Shapley values estimated by the `shap` library (Lundberg and Lee, 2017, theorem 2).

        φ = argmin Σ_S k(S) ( v(S) - v(∅) - Σ_{i in S} φ_i )²,
        k(S) = (n - 1) / ( C(n, |S|) |S| (n - |S|) )

    under the constraint that they add up. This is a regression on sets: on all of them if
    `samples` allows, otherwise on random ones. The sets and v are those of `shapley_values`.

    Args:
        model: called with many rows at once, in two shapes; compile it with `jax.jit`.
        examples: x.
        background: typical examples b.
        samples: sets for each example; "auto" is shap's `2 n + 2048`.
        seed: draws the sets. shap uses NumPy's global generator; its state is restored.

    Raises:
        UserError: shap is not installed.
    """
    try:
        import shap
    except ImportError as error:
        raise UserError(
            "Kernel SHAP needs the shap library: pip install 'dlcourse[attribution]'"
        ) from error

    explainer = shap.KernelExplainer(lambda x: np.asarray(model(jnp.asarray(x))), background)
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        # shap's default penalty would set small values to zero.
        return explainer.shap_values(examples, nsamples=samples, l1_reg=False, silent=True)
    finally:
        np.random.set_state(before)


def patches(
    height: int, width: int, rows: int, columns: int
) -> Int[np.ndarray, "{height} {width}"]:
    """The number of the patch of each pixel, in a grid of patches as equal as possible."""
    row, column = np.arange(height) * rows // height, np.arange(width) * columns // width
    return row[:, None] * columns + column[None, :]


def patch_shapley_values(
    model: Model,
    images: Float[Array, "n height width channels"],
    background: Float[Array, "background height width channels"],
    patch: Int[np.ndarray, "height width"],
) -> Float[Array, "n patches *outputs"]:
    """Exact Shapley values of images cut into few patches, each of them one feature.

    Args:
        model: `[batch, height, width, channels] -> [batch, *outputs]`.
        images, background: x and b.
        patch: the patch of each pixel, from `patches`.

    Raises:
        UserError: more than 12 patches.
    """
    every = jnp.ones(int(patch.max()) + 1)

    def explain(image: Array) -> Array:
        game = functools.partial(_play, model, image, background, patch)
        return shapley_values(game, every, jnp.zeros_like(every)[None])

    return jax.lax.map(explain, images)


def patch_kernel_shap(
    model: Model,
    images: Float[Array, "n height width channels"],
    background: Float[Array, "background height width channels"],
    patch: Int[np.ndarray, "height width"],
) -> Float[np.ndarray, "n patches *outputs"]:
    """As `patch_shapley_values`, estimated by `kernel_shap`, for any number of patches.

    Raises:
        UserError: shap is not installed.
    """
    play = jax.jit(lambda image, members: _play(model, image, background, patch, members))
    every = np.ones((1, int(patch.max()) + 1), np.float32)
    values = [
        kernel_shap(functools.partial(play, image), every, np.zeros_like(every)) for image in images
    ]
    return np.concatenate(values)


def over_pixels(
    values: Float[np.ndarray, "n patches"], patch: Int[np.ndarray, "height width"]
) -> Float[np.ndarray, "n height width 1"]:
    """The value of each patch divided equally among its pixels; the sum is unchanged."""
    return (values / np.bincount(patch.ravel()))[:, patch, None]


def _play(
    model: Model, image: Array, background: Array, patch: np.ndarray, members: Array
) -> Array:
    """v of `shapley_values` for sets of patches, each a row of zeros and ones.

    The image itself is the row of ones, the background the row of zeros.
    """

    def value(member: Array) -> Array:
        known = member[patch][None, :, :, None] == 1
        return jnp.mean(model(jnp.where(known, image[None], background)), axis=0)

    return jax.lax.map(value, members, batch_size=32)
