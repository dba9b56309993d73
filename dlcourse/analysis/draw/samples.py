"""Grids of images: samples of a generative model, reconstructions, batches."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse import figures

INCHES = 0.8  # width of an image


def draw_grid(
    images: Float[np.ndarray, "n height width channels"], columns: int, title: str = ""
) -> Any:
    """Images as one picture, row by row.

    Args:
        images: in [0, 1]; other values are clipped.
        columns: of the grid.
        title: of the figure, if any.
    """
    shown = picture(images, columns)
    figure, panel = _empty(shown, INCHES / images.shape[2], title)
    figures.image(panel, shown)
    return figure


def animate_grid(
    frames: Float[np.ndarray, "steps n height width channels"],
    columns: int,
    seconds: float = 4.0,
    inches: float = INCHES,
) -> Any:
    """Grids of images one after the other, the last for two seconds more.

    Args:
        frames: in [0, 1]; at most 60 of them are shown, evenly spaced, with the first and the last.
        columns: of a grid.
        seconds: from the first to the last.
        inches: width of an image.
    """
    from matplotlib.animation import FuncAnimation

    chosen = np.unique(np.linspace(0, len(frames) - 1, 60).round().astype(int))
    pictures = [picture(frames[number], columns) for number in chosen]
    figure, panel = _empty(pictures[0], inches / frames.shape[3], "")
    shown = figures.image(panel, pictures[0])
    interval = 1000 * seconds / len(pictures)
    order = [*range(len(pictures)), *[len(pictures) - 1] * round(2000 / interval)]

    def show(number: int) -> list[Any]:
        shown.set_data(pictures[number].squeeze())
        return [shown]

    return FuncAnimation(figure, show, frames=order, interval=interval)


def animate_files(files: Sequence[pathlib.Path], seconds: float = 4.0) -> Any:
    """Saved figures of one size one after the other, the last for two seconds more.

    Args:
        files: of images.
        seconds: from the first to the last.
    """
    from PIL import Image

    pictures = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    return animate_grid(pictures[:, None].astype(np.float32) / 255, 1, seconds, inches=6.0)


def picture(images: Float[np.ndarray, "n height width channels"], columns: int) -> np.ndarray:
    """Images as one picture, which is drawn much faster than a panel for each image."""
    _, height, width, channels = images.shape
    rows, gap = -(-len(images) // columns), max(1, height // 10)
    whole = np.ones(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, channels), np.float32
    )
    for place, image in enumerate(np.clip(images, 0.0, 1.0)):
        row, column = divmod(place, columns)
        top, left = row * (height + gap), column * (width + gap)
        whole[top : top + height, left : left + width] = image
    return whole


def _empty(shown: np.ndarray, scale: float, title: str) -> tuple[Any, Any]:
    """A figure for a picture, with `scale` inches a pixel."""
    rows, columns, _ = shown.shape
    figure, ((panel,),) = figures.new(width=scale * columns, height=scale * rows, grid=False)
    if title:
        figure.set_figheight(figure.get_figheight() + 0.4)
        figures.title(figure, title)
    panel.axis("off")
    return figure, panel
