"""The attributions of a classifier by every method, for comparison."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from dlcourse.analysis.inspect.path_gradients import expected_gradients, integrated_gradients
from dlcourse.analysis.inspect.shapley import (
    over_pixels,
    patch_kernel_shap,
    patch_shapley_values,
    patches,
)
from dlcourse.errors import UserError

FEW, MANY = (4, 3), (8, 8)  # grids of patches, for exact and for sampled Shapley values


class Attributions(NamedTuple):
    """Attributions of one output of each image, by method.

    Attributes:
        values: `[n, height, width, channels]` by name of the method. The first method is exact.
        explained: what the values of a method add up to: the output less that at its baseline.
        patch: the patch of each pixel for the first method.
        notes: why a method is missing.
    """

    values: dict[str, Float[np.ndarray, "n height width channels"]]
    explained: dict[str, Float[np.ndarray, " n"]]
    patch: Int[np.ndarray, "height width"]
    notes: list[str]

    def errors(self, method: str) -> dict[str, float]:
        """The largest error of the sum, and the mean difference from the exact value of a patch.

        The second is missing for a method with another baseline than the exact one: its values
        differ by definition.
        """
        exact, values = next(iter(self.values.values())), self.values[method]
        off = np.abs(values.sum((1, 2, 3)) - self.explained[method]).max()
        found = {"error of the sum": float(off)}
        if method != "integrated gradients":
            numbers = range(self.patch.max() + 1)
            sums = [np.sum((values - exact)[:, self.patch == k], (1, 2)) for k in numbers]
            found[f"error of {len(numbers)} patches"] = float(np.abs(sums).mean())
        return found


def attributions(
    logits: Callable[[Array], Array],
    images: Float[Array, "n height width channels"],
    labels: Int[np.ndarray, " n"],
    background: Float[Array, "background height width channels"],
) -> Attributions:
    """Attributes each image's logit of its own class by every method.

    Exact Shapley values need few features: 12 patches. Kernel SHAP takes these 12 for comparison,
    and 64. The gradients take each pixel; the baseline of integrated gradients is black.

    Args:
        logits: the classifier, `images -> logits`.
        images: in [0, 1].
        labels: their classes.
        background: typical images.
    """
    rows = np.arange(len(images))
    height, width = images.shape[1:3]
    few, many = (patches(height, width, *grid) for grid in (FEW, MANY))
    black = jnp.zeros_like(images[0])

    def by_patch(method: Callable, patch: np.ndarray) -> np.ndarray:
        values = np.asarray(method(logits, images, background, patch))
        return over_pixels(values[rows, :, labels], patch)

    def own(x: Array) -> Array:
        return logits(x)[rows, labels]

    values, notes = {"Shapley values, 12 patches": by_patch(patch_shapley_values, few)}, []
    try:
        for patch in (few, many):
            name = f"Kernel SHAP, {patch.max() + 1} patches"
            values[name] = by_patch(patch_kernel_shap, patch)
    except UserError as missing:
        notes.append(str(missing))
    values["expected gradients"] = np.asarray(expected_gradients(own, images, background))
    values["integrated gradients"] = np.asarray(integrated_gradients(own, images, black))
    typical, blank = logits(background).mean(0)[labels], logits(black[None])[0, labels]
    explained = {name: np.asarray(own(images) - typical) for name in values}
    explained["integrated gradients"] = np.asarray(own(images) - blank)
    return Attributions(values, explained, few, notes)
