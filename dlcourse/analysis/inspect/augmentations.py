"""What each augmentation makes of photographs."""

import functools
from typing import Any

import numpy as np
from jaxtyping import Array, Key

from dlcourse import data
from dlcourse.analysis.draw.augmentations import draw_augmentations
from dlcourse.data import augment


def show_augmentations(key: Key[Array, ""]) -> Any:
    """A figure with each augmentation of `data.augment`, at strengths that are easy to see."""
    temple, flower = (data.photograph(name, colour=True) for name in ("china", "flower"))
    shown = [temple[::4, ::4], temple[100:202, 240:400], flower[::4, ::4], flower[60:162, 240:400]]
    changes = {
        "flip": functools.partial(augment.flip, probability=1.0),
        "crop with padding": functools.partial(augment.crop, padding=20),
        "rotation": functools.partial(augment.affine, degrees=30.0),
        "scaling": functools.partial(augment.affine, scales=(0.6, 1.6)),
        "colour": functools.partial(
            augment.colour_jitter, brightness=0.5, contrast=0.5, saturation=0.8
        ),
        "cutout": functools.partial(augment.cutout, size=40),
    }
    lifted = {name: augment.per_example(change) for name, change in changes.items()}
    lifted["mixup"] = functools.partial(augment.mixup, num_classes=len(shown), alpha=1.0)
    return draw_augmentations(key, np.stack([part[:102] for part in shown]), lifted)
