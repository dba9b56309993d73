"""A trained model as attacks take it, and what an attack makes of its images."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from dlcourse.analysis.draw.robustness import draw_attacked
from dlcourse.learner import Batch, State


def classifier(
    apply: Callable[[State, Batch, Any], Array], state: State, *, inputs: str = "image"
) -> jax.tree_util.Partial:
    """A trained classifier as a function `images -> logits`, compiled once for all weights.

    Args:
        apply: the learner's forward pass.
        state: the trained state.
        inputs: the entry of the batch that holds the images.
    """

    def logits(state: State, images: Array) -> Array:
        return apply(state, {inputs: images}, jax.random.key(0))

    return jax.tree_util.Partial(logits, state)


def show_attacked(
    logits: Callable[[Array], Array],
    attack: Callable[..., Array],
    key: Key[Array, ""],
    images: Float[np.ndarray, "n height width channels"],
    labels: Int[np.ndarray, " n"],
    epsilons: Sequence[float] | np.ndarray,
    classes: Sequence[str],
) -> Any:
    """A figure of attacked images and their predicted classes, at each radius.

    Args:
        logits: the classifier.
        attack: `(logits, key, images, labels, epsilon) -> images`.
        key: draws the random starts of the attack.
        images: in [0, 1], one per row of the figure.
        labels: their classes.
        epsilons: the radii, one per column of the figure.
        classes: the names of the classes.
    """
    attacked = [attack(logits, key, images, labels, each) for each in epsilons]
    predicted = [[classes[c] for c in np.asarray(logits(x).argmax(-1))] for x in attacked]
    pictures = np.stack([np.asarray(x) for x in attacked])
    return draw_attacked(pictures, predicted, [classes[c] for c in labels], epsilons)
