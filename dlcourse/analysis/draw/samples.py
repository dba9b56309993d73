"""Grids of images: samples of a generative model, reconstructions, batches."""

from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures


def draw_grid(
    images: Float[np.ndarray, "n height width channels"], columns: int, title: str = ""
) -> Any:
    """Images as one picture, row by row.

    Args:
        images: in [0, 1]; other values are clipped.
        columns: of the grid.
        title: of the figure, if any.
    """
    _, height, width, channels = images.shape
    rows, gap = -(-len(images) // columns), max(1, height // 10)
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap, channels)
    # One picture is drawn much faster than a panel for each image.
    picture = np.ones(size)
    for place, image in enumerate(np.clip(images, 0.0, 1.0)):
        row, column = divmod(place, columns)
        top, left = row * (height + gap), column * (width + gap)
        picture[top : top + height, left : left + width] = image
    scale = 0.8 / width  # inches a pixel
    figure, ((panel,),) = figures.new(width=scale * size[1], height=scale * size[0], grid=False)
    if title:
        figure.set_figheight(figure.get_figheight() + 0.4)
        figures.title(figure, title)
    panel.axis("off")
    figures.image(panel, picture)
    return figure
