"""The channels of a convolutional layer: similar images, maps and saliency."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures


def draw_alike(
    queries: Float[np.ndarray, "q height width channels"],
    images: Float[np.ndarray, "n height width channels"],
    similarity: Float[np.ndarray, "channels q n"],
    channels: Sequence[int],
    most: int = 6,
) -> Any:
    """For each channel and query, the images that are most similar to the channel, best first.

    Args:
        queries, images: in [0, 1].
        similarity: as `channel_similarity` measures it.
        channels: the number of each channel.
        most: how many images to draw.
    """
    rows = len(channels) * len(queries)
    figure, panels = figures.new(rows, most + 1, width=1.0, height=1.04, grid=False)
    for row in range(rows):
        channel, query = divmod(row, len(queries))
        order = np.argsort(-similarity[channel, query])[:most]
        figures.image(panels[row, 0], queries[query])
        panels[row, 0].set_ylabel(f"channel {channels[channel]}", fontsize=8)
        for panel, index in zip(panels[row, 1:], order, strict=True):
            figures.image(panel, images[index])
            panel.set_title(f"{similarity[channel, query, index]:.2f}", fontsize=8, pad=2)
    panels[0, 0].set_title("image", fontsize=8)
    figures.title(figure, "most similar images, by the cosine of the channel's output", size=9)
    return figure


def draw_maps(
    images: Float[np.ndarray, "n height width channels"],
    maps: Float[np.ndarray, "n rows columns features"],
    heat: Float[np.ndarray, "n height width"],
    channels: Sequence[int],
) -> Any:
    """One row per image: the image, its saliency, and its map in each of the channels.

    Args:
        images: in [0, 1].
        maps: the outputs of a layer; each channel has one colour scale over all images.
        heat: the saliency; each image has its own colour scale.
        channels: the channels to draw.
    """
    figure, panels = figures.new(len(images), 2 + len(channels), width=1.0, height=1.05, grid=False)
    for row, line in enumerate(panels):
        figures.image(line[0], images[row])
        figures.image(line[1], heat[row], "hot", None, None)
        for panel, channel in zip(line[2:], channels, strict=True):
            low, high = maps[..., channel].min(), maps[..., channel].max()
            figures.image(panel, maps[row][..., channel], "viridis", low, high)
    titles = ("image", "saliency", *(f"channel {channel}" for channel in channels))
    for panel, title in zip(panels[0], titles, strict=True):
        panel.set_title(title, fontsize=8)
    return figure
