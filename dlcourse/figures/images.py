"""Images, and signed values in red and blue."""

from typing import Any

import numpy as np

from dlcourse.figures.layout import Number

# For signed quantities, with limits symmetric about 0: positive is red, negative is blue.
DIVERGING = "RdBu_r"
POSITIVE, NEGATIVE = "#b2182b", "#2166ac"


def image(
    panel: Any,
    picture: np.ndarray,
    cmap: str | None = "gray",
    low: Number | None = 0.0,
    high: Number | None = 1.0,
    **options: Any,
) -> Any:
    """Draws an image without ticks and returns it.

    Args:
        picture: `[height, width]` or `[height, width, 1]` by the colour map, `[..., 3]` in colour.
        low, high: the values at the ends of the colour map; None for those of the picture.
        options: of `panel.imshow`.
    """
    panel.set(xticks=[], yticks=[])
    picture = np.asarray(picture)
    picture = picture[..., 0] if picture.ndim == 3 and picture.shape[-1] == 1 else picture
    return panel.imshow(picture, cmap=cmap, vmin=low, vmax=high, **options)


def signed_image(
    panel: Any, values: np.ndarray, limit: Number | None = None, **options: Any
) -> Any:
    """Draws signed values `[height, width]`: red above 0, blue below, white at 0.

    Args:
        limit: the absolute value of the deepest colours; the largest one by default.
    """
    limit = float(np.abs(values).max()) if limit is None else limit
    limit = max(limit, 1e-12)
    return image(panel, values, DIVERGING, -limit, limit, **options)
