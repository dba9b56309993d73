"""Adversarial attacks: small changes of an image that a classifier misreads.

An attack is a pure function `attack(logits, key, images, labels, epsilon) -> images`, where
`logits` is the classifier, `images -> logits`. It is compiled once for each `logits`, and once for
all weights if a trained model is passed as `jax.tree_util.Partial(f, weights)`, with
`f(weights, images) -> logits`.
"""

import functools
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, Num

from dlcourse import losses
from dlcourse.analysis.measure.robustness import Logits, as_pytree
from dlcourse.errors import UserError

Norm = Literal["linf", "l2"]


class Found(NamedTuple):
    """The worst image found so far in each ball, whether it is misclassified, and its loss."""

    image: Float[Array, "batch *axes"]
    wrong: Bool[Array, " batch"]
    loss: Float[Array, " batch"]

    def worse(self, other: "Found") -> "Found":
        """Image by image, the misclassified one of the two, or else the one of higher loss."""
        higher = (self.wrong == other.wrong) & (other.loss > self.loss)
        take = (other.wrong & ~self.wrong) | higher
        return jax.tree.map(lambda new, old: jnp.where(_like(take, new), new, old), other, self)


def pgd(
    logits: Logits,
    key: Key[Array, "*one_or_batch"],
    images: Float[Array, "batch *axes"],
    labels: Int[Array, " batch"],
    epsilon: float | Float[Array, ""],
    *,
    norm: Norm = "linf",
    steps: int = 40,
    step_size: float | None = None,
    restarts: int = 1,
    random_start: bool = True,
) -> Float[Array, "batch *axes"]:
    """Projected gradient descent in a ball about each image (Madry et al., 2018, equation 2).

        x <- P[ x + a epsilon d(∇_x L(x, y)) ],    L = -log softmax(logits(x))[y]

    d is the steepest direction of the norm, `sign(g)` in L∞ and `g / |g|` in L2; P goes to the
    nearest point of the ball, then to the nearest of [0, 1]. The result is in both. In L∞ it is the
    nearest point of their intersection; in L2 a nearer one may exist where pixels are clipped (as
    in Foolbox). Every restart begins anywhere in the ball.

    It returns the worst of all points visited, the image itself among them: misclassified if any
    is, and of highest loss among those. So more steps and more restarts never do less harm. The
    paper returns the last point of each restart.

    Args:
        logits: the classifier, `[batch, *axes] -> [batch, classes]`.
        key: draws the starts; one key, or one for each image, so that an image's start does not
            depend on the others in its batch.
        images: in [0, 1].
        labels: their classes.
        epsilon: the radius of the ball.
        norm: of the ball, `linf` or `l2`.
        steps: gradient steps of each restart.
        step_size: a, in radii; 2.5 / steps by default, so that any point of the ball can be
            reached and left again.
        restarts: how many starts.
        random_start: whether to start at a random point of the ball, or at the image.

    Raises:
        UserError: epsilon below zero, images outside [0, 1], labels out of range, an unknown
            norm, less than one step or restart, or a step size that is not positive.
    """
    if norm not in get_args(Norm):
        raise UserError(f"An attack's norm must be {' or '.join(get_args(Norm))}; it is '{norm}'.")
    if steps < 1 or restarts < 1:
        raise UserError(
            f"An attack needs at least 1 step and 1 restart, not {steps} and {restarts}."
        )
    if step_size is not None and not step_size > 0:
        raise UserError(f"An attack's step_size must be above 0; it is {step_size:g}.")
    _check(logits, images, labels, epsilon)
    a = 2.5 / steps if step_size is None else step_size
    keys = key if key.ndim else jax.random.split(key, len(images))
    return _pgd(
        as_pytree(logits), keys, images, labels, epsilon, a, norm, steps, restarts, random_start
    )


def fgsm(
    logits: Logits,
    key: Key[Array, "*one_or_batch"],
    images: Float[Array, "batch *axes"],
    labels: Int[Array, " batch"],
    epsilon: float | Float[Array, ""],
    *,
    norm: Norm = "linf",
) -> Float[Array, "batch *axes"]:
    """`x + epsilon sign(∇_x L(x, y))`, clipped to [0, 1] (Goodfellow et al., 2015).

    The fast gradient sign method is one step of `pgd` of the whole radius, from the image itself.
    It is deterministic; it takes a key because every attack does. Where the step would lower the
    loss, the image is returned unchanged. Arguments and errors are those of `pgd`.
    """
    return pgd(
        logits, key, images, labels, epsilon,
        norm=norm, steps=1, step_size=1.0, random_start=False,
    )  # fmt: skip


@functools.partial(jax.jit, static_argnames=("norm", "steps", "restarts", "random_start"))
def _pgd(
    logits: Any,
    keys: Key[Array, " batch"],
    images: Float[Array, "batch *axes"],
    labels: Int[Array, " batch"],
    epsilon: float | Float[Array, ""],
    step_size: float | Float[Array, ""],
    norm: Norm,
    steps: int,
    restarts: int,
    random_start: bool,
) -> Float[Array, "batch *axes"]:
    def judge(x: Array) -> tuple[Array, Found]:
        outputs = logits(x)
        loss = losses.softmax_cross_entropy(outputs, labels)
        # The sum, so that each image's gradient is its own.
        return jnp.sum(loss), Found(x, jnp.argmax(outputs, axis=-1) != labels, loss)

    def step(carry: tuple[Array, Found], _: None) -> tuple[tuple[Array, Found], None]:
        x, found = carry
        gradient, here = jax.grad(judge, has_aux=True)(x)
        moved = x + step_size * epsilon * _steepest(gradient, norm)
        return (_project(moved, images, epsilon, norm), found.worse(here)), None

    def restart(found: Found, keys: Array) -> tuple[Found, None]:
        offset = epsilon * jax.vmap(_uniform_in_ball, (0, 0, None))(keys, images, norm)
        start = _project(images + offset, images, epsilon, norm) if random_start else images
        (x, found), _ = jax.lax.scan(step, (start, found), length=steps)
        return found.worse(judge(x)[1]), None

    of_restarts = jax.vmap(lambda key: jax.random.split(key, restarts), out_axes=1)(keys)
    return jax.lax.scan(restart, judge(images)[1], of_restarts)[0].image


def _steepest(gradient: Float[Array, "batch *axes"], norm: Norm) -> Float[Array, "batch *axes"]:
    if norm == "linf":
        return jnp.sign(gradient)
    return gradient / jnp.maximum(_like(_l2(gradient), gradient), 1e-12)


def _project(
    x: Float[Array, "batch *axes"],
    centre: Float[Array, "batch *axes"],
    epsilon: float | Float[Array, ""],
    norm: Norm,
) -> Float[Array, "batch *axes"]:
    """The nearest point of the ball, then of [0, 1]; as the centre is in both, so is the result."""
    offset = x - centre
    if norm == "linf":
        offset = jnp.clip(offset, -epsilon, epsilon)
    else:
        length = jnp.maximum(_like(_l2(offset), offset), 1e-12)
        offset = offset * jnp.minimum(1.0, epsilon / length)
    return jnp.clip(centre + offset, 0.0, 1.0)


def _uniform_in_ball(
    key: Key[Array, ""], like: Float[Array, "*axes"], norm: Norm
) -> Float[Array, "*axes"]:
    """A point of the unit ball about one image, uniform in volume."""
    if norm == "linf":
        return jax.random.uniform(key, like.shape, minval=-1.0)
    direction_key, radius_key = jax.random.split(key)
    direction = _steepest(jax.random.normal(direction_key, like.shape)[None], norm)[0]
    # The share of the volume within radius r is r^dimension.
    return direction * jax.random.uniform(radius_key) ** (1 / like.size)


def _l2(x: Float[Array, "batch *axes"]) -> Float[Array, " batch"]:
    return jnp.sqrt(jnp.sum(x**2, axis=tuple(range(1, x.ndim))))


def _like(values: Num[Array, " batch"] | Bool[Array, " batch"], other: Array) -> Array:
    """One value per image, with axes of length 1 appended to broadcast against `other`."""
    return values.reshape(values.shape + (1,) * (other.ndim - values.ndim))


def _check(logits: Logits, images: Any, labels: Any, epsilon: Any) -> None:
    """Refuses wrong inputs; of traced arrays only shapes and dtypes can be checked."""
    if not isinstance(epsilon, jax.core.Tracer) and (np.ndim(epsilon) or not epsilon >= 0):
        raise UserError(f"An attack's epsilon must be one radius, at least 0; it is {epsilon}.")
    if jnp.shape(labels) != jnp.shape(images)[:1] or not jnp.size(labels):
        raise UserError(
            f"Attacked images of shape {jnp.shape(images)} need one label each, of shape [batch], "
            f"and at least one image; the labels have shape {jnp.shape(labels)}."
        )
    if not isinstance(images, jax.core.Tracer):
        low, high = _range(images)
        if not (low >= 0 and high <= 1):
            raise UserError(
                f"Attacked images must lie in [0, 1]; these reach from {low:g} to {high:g}. "
                "If the model needs normalised images, normalise inside the classifier."
            )
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise UserError(f"The labels of attacked images must be integers; they are {labels.dtype}.")
    if not isinstance(labels, jax.core.Tracer):
        classes = jax.eval_shape(logits, images).shape[-1]
        low, high = _range(labels)
        if low < 0 or high >= classes:
            raise UserError(
                f"Labels reach from {low} to {high}; the classifier has the classes "
                f"0 to {classes - 1}."
            )


def _range(values: Any) -> tuple[Any, Any]:
    # In NumPy: while a function is traced, JAX traces operations on constants too.
    values = np.asarray(values)
    return values.min(), values.max()
