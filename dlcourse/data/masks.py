"""What a segmentation mask must be, checked before training and not met as a strange figure."""

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
    """Refuses masks that are not one class a pixel of their images.

    Arguments:
        images: `[batch, height, width, channels]`.
        masks: `[batch, height, width]`, integers from `first` to `first + num_classes - 1`, or
            `ignore`.

    Raises:
        UserError: another rank, another size than the images', another kind of number, or labels
            out of range, such as 255 for the foreground.
    """
    if images.ndim != 4:
        raise UserError(
            f"Images have the shape {images.shape}; [batch, height, width, channels] is needed."
        )
    if masks.shape != images.shape[:3]:
        raise UserError(
            f"Masks have the shape {masks.shape} and their images {images.shape}; "
            f"one label a pixel is needed: {images.shape[:3]}."
        )
    if not np.issubdtype(masks.dtype, np.integer):
        raise UserError(f"Masks are {masks.dtype}; integer labels are needed.")
    values = np.unique(masks)
    last = first + num_classes - 1
    strange = values[((values < first) | (values > last)) & (values != ignore)]
    if strange.size:
        allowed = f"{first} to {last}" + ("" if ignore is None else f", or {ignore} to ignore")
        message = f"Masks hold the label {strange[0]}; labels are {allowed}."
        if set(values.tolist()) <= {0, 255} and num_classes == 2:
            message += " Divide masks of 0 and 255 by 255."
        raise UserError(message)
