"""The channels of a convolutional layer: their maps, similar images, and saliency."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from dlcourse.errors import UsageError


def channel_maps(
    model: nn.Module, variables: Any, images: Float[Array, "n height width channels"], layer: str
) -> Float[Array, "n rows columns features"]:
    """The output of a layer for each image, by Linen's `capture_intermediates`.

    Args:
        model: trained.
        variables: as `model.apply` takes them.
        images: the model's input.
        layer: the name of a submodule, such as `Conv_1`.

    Raises:
        UsageError: the model has no such layer, or the layer's output is not a map.
    """
    _, kept = model.apply(
        variables, images, capture_intermediates=lambda module, _: module.name == layer
    )
    found = jax.tree.leaves(kept.get("intermediates", {}).get(layer, {}))
    if len(found) != 1 or found[0].ndim != 4:
        names = ", ".join(variables["params"])
        raise UsageError(
            f"'{layer}' is not a layer with feature maps of this model; it has {names}."
        )
    return found[0]


def check_channels(
    model: nn.Module,
    images: Float[Array, "n height width channels"],
    layer: str,
    channels: Sequence[int],
) -> None:
    """Checks before training that a layer and its channels exist.

    Raises:
        UsageError: the model has no such layer, or the layer no such channel.
    """

    def maps() -> Array:
        return channel_maps(model, model.init(jax.random.key(0), images), images, layer)

    count = jax.eval_shape(maps).shape[-1]
    for channel in channels:
        if not 0 <= channel < count:
            raise UsageError(f"'{layer}' has the channels 0 to {count - 1}; {channel} is not one.")


def channel_similarity(
    queries: Float[Array | np.ndarray, "q rows columns"],
    maps: Float[Array | np.ndarray, "n rows columns"],
) -> Float[Array, "q n"]:
    """The similarity of queries and images to one channel (deck 003): the cosine of its outputs.

        s(x, x') = <a(x) - m, a(x') - m> / (|a(x) - m| |a(x') - m|)

    a is the channel's map and m its mean over the images: without it, the part of the output that
    is the same for all images would make all of them similar. A constant channel gives 0.

    Args:
        queries, maps: the channel's maps of the queries and of the images.
    """
    mean = jnp.mean(maps, axis=0, keepdims=True)
    q, a = ((each - mean).reshape(len(each), -1) for each in (queries, maps))
    lengths = jnp.linalg.norm(q, axis=-1)[:, None] * jnp.linalg.norm(a, axis=-1)[None]
    return jnp.where(lengths > 0, q @ a.T / jnp.maximum(lengths, 1e-12), 0.0)


def saliency(
    logits: Callable[[Array], Array], images: Float[Array, "n height width channels"]
) -> Float[Array, "n height width"]:
    """`max_c |∂ logit_k / ∂x_c|` for the predicted class k (Simonyan et al., 2014).

    Args:
        logits: the classifier, `images -> [n, classes]`.
    """
    gradient = jax.grad(lambda x: jnp.sum(jnp.max(logits(x), axis=-1)))(images)
    return jnp.max(jnp.abs(gradient), axis=-1)
