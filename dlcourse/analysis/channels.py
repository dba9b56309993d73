"""What a channel sees: which images it finds alike, and where in them it answers."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from dlcourse.errors import UserError


def channel_maps(
    model: nn.Module, variables: Any, images: Float[Array, "n height width channels"], layer: str
) -> Float[Array, "n rows columns features"]:
    """What a layer makes of the images, caught on the way (`capture_intermediates`).

    Args:
        model: trained.
        variables: its parameters, and what it keeps beside them.
        layer: the name of a submodule, such as `Conv_1`.

    Raises:
        UserError: the model has no such layer, or the layer's output is no map.
    """
    _, kept = model.apply(
        variables, images, capture_intermediates=lambda module, _: module.name == layer
    )
    found = jax.tree.leaves(kept.get("intermediates", {}).get(layer, {}))
    if len(found) != 1 or found[0].ndim != 4:
        names = ", ".join(variables["params"])
        raise UserError(f"'{layer}' is no layer of feature maps of this model; it has {names}.")
    return found[0]


def check_channels(
    model: nn.Module,
    images: Float[Array, "n height width channels"],
    layer: str,
    channels: Sequence[int],
) -> None:
    """Finds out before training whether there will be anything to look at.

    Raises:
        UserError: the model has no such layer, or the layer no such channel.
    """

    def maps() -> Array:
        return channel_maps(model, model.init(jax.random.key(0), images), images, layer)

    count = jax.eval_shape(maps).shape[-1]
    for channel in channels:
        if not 0 <= channel < count:
            raise UserError(
                f"'{layer}' has the channels 0 to {count - 1}, and no channel {channel}."
            )


def channel_similarity(
    queries: Float[Array | np.ndarray, "q rows columns"],
    maps: Float[Array | np.ndarray, "n rows columns"],
) -> Float[Array, "q n"]:
    """How alike one channel finds each query and each image (deck 003): the cosine of its outputs.

        s(x, x') = <a(x) - m, a(x') - m> / (|a(x) - m| |a(x') - m|)

    a is the channel's map and m its mean over the images: without it, what the channel always
    answers would make all images alike. A channel that answers the same to all gives 0.
    """
    mean = jnp.mean(maps, axis=0, keepdims=True)
    q, a = ((each - mean).reshape(len(each), -1) for each in (queries, maps))
    lengths = jnp.linalg.norm(q, axis=-1)[:, None] * jnp.linalg.norm(a, axis=-1)[None]
    return jnp.where(lengths > 0, q @ a.T / jnp.maximum(lengths, 1e-12), 0.0)


def saliency(
    logits: Callable[[Array], Array], images: Float[Array, "n height width channels"]
) -> Float[Array, "n height width"]:
    """`max_c |∂ logit_k / ∂x_c|` for the predicted class k (Simonyan et al., 2014)."""
    gradient = jax.grad(lambda x: jnp.sum(jnp.max(logits(x), axis=-1)))(images)
    return jnp.max(jnp.abs(gradient), axis=-1)


def draw_alike(
    queries: Float[np.ndarray, "q height width channels"],
    images: Float[np.ndarray, "n height width channels"],
    similarity: Float[np.ndarray, "channels q n"],
    channels: Sequence[int],
    most: int = 6,
) -> Any:
    """For each channel and query, the images that the channel finds most alike, best first."""
    from matplotlib.figure import Figure

    rows = len(channels) * len(queries)
    figure = Figure(figsize=(0.9 * (most + 1) + 0.8, 0.98 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, most + 1, squeeze=False)
    for row in range(rows):
        channel, query = divmod(row, len(queries))
        order = np.argsort(-similarity[channel, query])[:most]
        _draw(panels[row, 0], queries[query])
        panels[row, 0].set_ylabel(f"channel {channels[channel]}", fontsize=8)
        for panel, index in zip(panels[row, 1:], order, strict=True):
            _draw(panel, images[index])
            panel.set_title(f"{similarity[channel, query, index]:.2f}", fontsize=7, pad=2)
    panels[0, 0].set_title("image", fontsize=8)
    figure.suptitle("found most alike, by the cosine of the channel's output", fontsize=9)
    return figure


def draw_maps(
    images: Float[np.ndarray, "n height width channels"],
    maps: Float[np.ndarray, "n rows columns features"],
    heat: Float[np.ndarray, "n height width"],
    channels: Sequence[int],
) -> Any:
    """A row an image: its saliency, and its map in each of the channels."""
    from matplotlib.figure import Figure

    columns = 2 + len(channels)
    figure = Figure(figsize=(0.95 * columns, 1.0 * len(images) + 0.3), layout="constrained")
    panels = figure.subplots(len(images), columns, squeeze=False)
    for row, line in enumerate(panels):
        _draw(line[0], images[row])
        _draw(line[1], heat[row][..., None], cmap="hot", vmin=None, vmax=None)
        for panel, channel in zip(line[2:], channels, strict=True):
            low, high = maps[..., channel].min(), maps[..., channel].max()
            _draw(panel, maps[row][..., channel, None], cmap="viridis", vmin=low, vmax=high)
    titles = ("image", "saliency", *(f"channel {channel}" for channel in channels))
    for panel, title in zip(panels[0], titles, strict=True):
        panel.set_title(title, fontsize=8)
    return figure


def _draw(
    panel: Any, image: np.ndarray, cmap: str = "gray", vmin: Any = 0.0, vmax: Any = 1.0
) -> None:
    panel.imshow(image.squeeze(), cmap=cmap, vmin=vmin, vmax=vmax)
    panel.set(xticks=[], yticks=[])
