"""Checks of segmentation masks before training."""

import numpy as np
from jaxtyping import Num

from dlcourse.errors import UserError


def check_masks(
    images: Num[np.ndarray, "..."],
    masks: Num[np.ndarray, "..."],
    num_classes: int,
    ignore: int | None = None,
    first: int = 0,
) -> None:
    """Checks that masks hold one class number for each pixel of their images.

    Args:
        images: `[batch, height, width, channels]`.
        masks: `[batch, height, width]`, integers from `first` to `first + num_classes - 1`, or
            `ignore`.
        num_classes: number of classes.
        ignore: the label of pixels that do not count.
        first: the label of the first class.

    Raises:
        UserError: the shapes do not match, the masks are not integers, or a label is out of range,
            such as 255 for the foreground.
    """
    if images.ndim != 4:
        raise UserError(
            f"Images have shape {images.shape}; it must be [batch, height, width, channels]."
        )
    if masks.shape != images.shape[:3]:
        raise UserError(
            f"Masks have shape {masks.shape} and their images {images.shape}; "
            f"one label per pixel is needed: {images.shape[:3]}."
        )
    if not np.issubdtype(masks.dtype, np.integer):
        raise UserError(f"Masks are {masks.dtype}; labels must be integers.")
    values = np.unique(masks)
    last = first + num_classes - 1
    invalid = values[((values < first) | (values > last)) & (values != ignore)]
    if invalid.size:
        allowed = f"{first} to {last}" + ("" if ignore is None else f", or {ignore} to ignore")
        message = f"Masks hold the label {invalid[0]}; labels are {allowed}."
        if set(values.tolist()) <= {0, 255} and num_classes == 2:
            message += " Divide masks of 0 and 255 by 255."
        raise UserError(message)
