"""The accuracy of a classifier under attack."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from dlcourse import streams
from dlcourse.errors import UserError

Logits = Callable[[Array], Array]
# (logits, key, images, labels, epsilon) -> images
Attack = Callable[..., Array]


def robustness(
    logits: Logits,
    key: Key[Array, ""],
    images: Float[Array | np.ndarray, "n *axes"],
    labels: Int[Array | np.ndarray, " n"],
    epsilons: Sequence[float] | np.ndarray,
    *,
    attack: Attack,
    batch_size: int = 250,
) -> Float[np.ndarray, " epsilons"]:
    """The accuracy under an attack, at each epsilon.

    Args:
        logits: the classifier, `[batch, *axes] -> [batch, classes]`; as a
            `jax.tree_util.Partial(f, weights)` it is compiled once for all weights.
        key: each image is attacked with a key derived from it and the image's number, so the
            accuracy does not depend on the batch size.
        attack: `pgd` or `fgsm`; with options as `functools.partial(pgd, norm="l2")`.
        batch_size: images attacked at once.

    Raises:
        UserError: as the attack raises, no images, or a number of labels other than of images.
    """
    if len(labels) != len(images) or not len(images):
        raise UserError(
            f"There are {len(images)} images to attack and {len(labels)} labels; "
            "one label per image is needed, and at least one image."
        )
    logits = as_pytree(logits)
    size = min(batch_size, len(images))
    accuracies = []
    for epsilon in epsilons:
        right = []
        for start in range(0, len(images), size):
            # The last batch is filled up from the front, so that every batch has one shape.
            rows = np.arange(start, start + size) % len(images)
            x, y = jnp.asarray(images[rows]), jnp.asarray(labels[rows])
            keys = streams.for_each(key, jnp.asarray(rows))
            attacked = attack(logits, keys, x, y, float(epsilon))
            right.append((_predictions(logits, attacked) == y)[: len(images) - start])
        accuracies.append(np.concatenate(right).mean())
    return np.array(accuracies)


def as_pytree(logits: Logits) -> jax.tree_util.Partial:
    """A classifier that `jit` takes as an argument, with its weights as arguments."""
    return logits if isinstance(logits, jax.tree_util.Partial) else jax.tree_util.Partial(logits)


@jax.jit
def _predictions(logits: Any, images: Float[Array, "batch *axes"]) -> Int[Array, " batch"]:
    return jnp.argmax(logits(images), axis=-1)
