"""Adversarial attacks: the smallest change of an image that a classifier gets wrong.

An attack is a pure function `attack(logits, key, images, labels, epsilon) -> images`, where
`logits` is the classifier, `images -> logits`. It is compiled once for each `logits`. Pass a
trained model as `jax.tree_util.Partial(f, weights)`, with `f(weights, images) -> logits`, and it
is compiled once for all weights.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, Num

from dlcourse import losses
from dlcourse.errors import UserError

Logits = Callable[[Array], Array]
Attack = Callable[..., Array]
Norm = Literal["linf", "l2"]


class Found(NamedTuple):
    """The worst image found so far in each ball, and how bad it is."""

    image: Float[Array, "batch *axes"]
    wrong: Bool[Array, " batch"]
    loss: Float[Array, " batch"]

    def worse(self, other: "Found") -> "Found":
        """Image by image: a mistake beats what is right, else the higher loss beats the lower."""
        higher = (self.wrong == other.wrong) & (other.loss > self.loss)
        take = (other.wrong & ~self.wrong) | higher
        return jax.tree.map(lambda new, old: jnp.where(_like(take, new), new, old), other, self)


def pgd(
    logits: Logits,
    key: Key[Array, ""],
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
    nearest point of the ball and of [0, 1]. Every restart begins anywhere in the ball.

    Of all the points that it comes by, the image itself among them, this returns one that is
    misclassified if there is any, and of those the one of highest loss: more steps and more
    restarts never do less harm. The paper returns the last point of each restart.

    Arguments:
        epsilon: the radius of the ball.
        step_size: a, in radii; 2.5 / steps if not given, so that any point can be reached and
            left again.
        random_start: False begins at the image itself.

    Raises:
        UserError: epsilon below zero, images outside [0, 1], labels that are no class, another
            norm, no steps or no restarts, a step backwards.
    """
    if norm not in get_args(Norm):
        raise UserError(f"An attack's norm is {' or '.join(get_args(Norm))}; it is '{norm}'.")
    if steps < 1 or restarts < 1:
        raise UserError(f"An attack takes at least 1 step and 1 start, not {steps} and {restarts}.")
    if step_size is not None and not step_size > 0:
        raise UserError(f"An attack's step_size must be above 0; it is {step_size:g}.")
    _check(logits, images, labels, epsilon)
    a = 2.5 / steps if step_size is None else step_size
    return _pgd(
        _as_pytree(logits), key, images, labels, epsilon, a, norm, steps, restarts, random_start
    )


def fgsm(
    logits: Logits,
    key: Key[Array, ""],
    images: Float[Array, "batch *axes"],
    labels: Int[Array, " batch"],
    epsilon: float | Float[Array, ""],
    *,
    norm: Norm = "linf",
) -> Float[Array, "batch *axes"]:
    """`x + epsilon sign(∇_x L(x, y))`, clipped to [0, 1] (Goodfellow et al., 2015).

    The fast gradient sign method is one step of `pgd` over the whole radius, from the image
    itself; there is no chance in it, and the key is there because every attack has one. Where the
    step makes the loss fall, the image stays as it is.
    """
    return pgd(
        logits, key, images, labels, epsilon,
        norm=norm, steps=1, step_size=1.0, random_start=False,
    )  # fmt: skip


@functools.partial(jax.jit, static_argnames=("norm", "steps", "restarts", "random_start"))
def _pgd(
    logits: Any,
    key: Key[Array, ""],
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

    def restart(found: Found, key: Array) -> tuple[Found, None]:
        offset = epsilon * _uniform_in_ball(key, images, norm)
        start = _project(images + offset, images, epsilon, norm) if random_start else images
        (x, found), _ = jax.lax.scan(step, (start, found), length=steps)
        return found.worse(judge(x)[1]), None

    keys = jax.random.split(key, restarts)
    return jax.lax.scan(restart, judge(images)[1], keys)[0].image


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
    """Into the ball, then into [0, 1], which takes no point further from a centre within."""
    offset = x - centre
    if norm == "linf":
        offset = jnp.clip(offset, -epsilon, epsilon)
    else:
        length = jnp.maximum(_like(_l2(offset), offset), 1e-12)
        offset = offset * jnp.minimum(1.0, epsilon / length)
    return jnp.clip(centre + offset, 0.0, 1.0)


def _uniform_in_ball(
    key: Key[Array, ""], like: Float[Array, "batch *axes"], norm: Norm
) -> Float[Array, "batch *axes"]:
    """A point of the unit ball for each image, every one as likely."""
    if norm == "linf":
        return jax.random.uniform(key, like.shape, minval=-1.0)
    direction_key, radius_key = jax.random.split(key)
    direction = _steepest(jax.random.normal(direction_key, like.shape), norm)
    # The share of the volume within radius r is r^dimension.
    radius = jax.random.uniform(radius_key, like.shape[:1]) ** (1 / (like.size // len(like)))
    return direction * _like(radius, like)


def _l2(x: Float[Array, "batch *axes"]) -> Float[Array, " batch"]:
    return jnp.sqrt(jnp.sum(x**2, axis=tuple(range(1, x.ndim))))


def _like(values: Num[Array, " batch"] | Bool[Array, " batch"], other: Array) -> Array:
    """One value an image, with the axes it takes to stand beside `other`."""
    return values.reshape(values.shape + (1,) * (other.ndim - values.ndim))


def _as_pytree(logits: Logits) -> jax.tree_util.Partial:
    """What `jit` takes as an argument; the weights in it are arguments too, and not constants."""
    return logits if isinstance(logits, jax.tree_util.Partial) else jax.tree_util.Partial(logits)


def _check(logits: Logits, images: Any, labels: Any, epsilon: Any) -> None:
    """What is wrong with the input, in words; what is being traced shows its shape alone."""
    if not isinstance(epsilon, jax.core.Tracer) and (np.ndim(epsilon) or not epsilon >= 0):
        raise UserError(f"An attack's epsilon is one radius, at least 0; it is {epsilon}.")
    if jnp.shape(labels) != jnp.shape(images)[:1] or not jnp.size(labels):
        raise UserError(
            f"Attacked images of shape {jnp.shape(images)} need one label each, of shape [batch], "
            f"and at least one image; the labels' shape is {jnp.shape(labels)}."
        )
    if not isinstance(images, jax.core.Tracer):
        low, high = _range(images)
        if not (low >= 0 and high <= 1):
            raise UserError(
                f"Attacked images lie in [0, 1]; these reach from {low:g} to {high:g}. "
                "If they were normalised, let the classifier do it."
            )
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise UserError(f"The labels of attacked images are {labels.dtype}; integers are needed.")
    if not isinstance(labels, jax.core.Tracer):
        classes = jax.eval_shape(logits, images).shape[-1]
        low, high = _range(labels)
        if low < 0 or high >= classes:
            raise UserError(
                f"Labels reach from {low} to {high}; the classifier has the classes "
                f"0 to {classes - 1}."
            )


def _range(values: Any) -> tuple[Any, Any]:
    # In NumPy: while a function is traced, so is every operation of JAX, on constants too.
    values = np.asarray(values)
    return values.min(), values.max()


def robustness(
    logits: Logits,
    key: Key[Array, ""],
    images: Float[Array | np.ndarray, "n *axes"],
    labels: Int[Array | np.ndarray, " n"],
    epsilons: Sequence[float] | np.ndarray,
    *,
    attack: Attack = pgd,
    batch_size: int = 250,
) -> Float[np.ndarray, " epsilons"]:
    """The accuracy that is left under an attack, at each epsilon.

    Arguments:
        attack: `pgd` or `fgsm`; with options of its own as `functools.partial(pgd, norm="l2")`.
        batch_size: how many images are attacked at once.

    Raises:
        UserError: as `pgd`, or not as many labels as images.
    """
    if len(labels) != len(images) or not len(images):
        raise UserError(
            f"There are {len(images)} images to attack and {len(labels)} labels; "
            "one label an image is needed, and at least one image."
        )
    logits = _as_pytree(logits)
    size = min(batch_size, len(images))
    accuracies = []
    for epsilon in epsilons:
        right = []
        for start in range(0, len(images), size):
            # The last batch is filled up from the front, so that every batch has one shape.
            rows = np.arange(start, start + size) % len(images)
            x, y = jnp.asarray(images[rows]), jnp.asarray(labels[rows])
            attacked = attack(logits, jax.random.fold_in(key, start), x, y, float(epsilon))
            right.append((_predictions(logits, attacked) == y)[: len(images) - start])
        accuracies.append(np.concatenate(right).mean())
    return np.array(accuracies)


@jax.jit
def _predictions(logits: Any, images: Float[Array, "batch *axes"]) -> Int[Array, " batch"]:
    return jnp.argmax(logits(images), axis=-1)


def draw_robustness(curves: Mapping[str, Mapping[str, tuple[Any, Any]]]) -> Any:
    """Accuracy against epsilon, a panel for each norm.

    Arguments:
        curves: panel title to the name of a line to `(epsilons, accuracies)`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4 * len(curves), 3.4), layout="constrained")
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for panel, (title, lines) in zip(panels, curves.items(), strict=True):
        for name, (epsilons, accuracies) in lines.items():
            panel.plot(epsilons, 100 * np.asarray(accuracies), marker="o", markersize=3, label=name)
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("ε")
        panel.set_ylim(-3, 103)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    panels[0].set_ylabel("accuracy under attack (%)")
    return figure


def draw_attacked(
    images: Float[np.ndarray, "epsilons n height width channels"],
    predictions: Sequence[Sequence[str]],
    labels: Sequence[str],
    epsilons: Sequence[float] | np.ndarray,
) -> Any:
    """Attacked images, a row for each image and a column for each epsilon.

    Arguments:
        images: the attacked images.
        predictions: what the classifier takes them for, `[epsilons][n]`, by name.
        labels: what they are, by name.
    """
    from matplotlib.figure import Figure

    columns, rows = images.shape[:2]
    figure = Figure(figsize=(1.1 * columns, 1.25 * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    figure.suptitle("what the classifier says of each image, at each ε", fontsize=9)
    for column, epsilon in enumerate(epsilons):
        for row, label in enumerate(labels):
            panel, guess = panels[row, column], predictions[column][row]
            grey = images.shape[-1] == 1
            panel.imshow(
                images[column, row].squeeze(), cmap="gray" if grey else None, vmin=0, vmax=1
            )
            panel.axis("off")
            above = f"ε = {epsilon:g}\n" if row == 0 else ""
            panel.set_title(above + guess, fontsize=8, color="black" if guess == label else "red")
    return figure
