"""Images with a class for every pixel: digit scenes, CamVid, Oxford Pets."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from dlcourse.data import tfds
from dlcourse.data.arrays import scale
from dlcourse.data.dataset import Dataset, Example, Source
from dlcourse.data.masks import check_masks
from dlcourse.data.optional import require
from dlcourse.data.scenes import digit_scenes
from dlcourse.errors import UsageError

IGNORE = -1  # in every set, the label of pixels without a known class


class Labels(NamedTuple):
    """The meaning of the labels in the masks of a set.

    Attributes:
        classes: the class names.
        first: the label of the first class.
        ignore: the label of pixels without a known class.
        side: height and width to which images are resized, for a set with images of many sizes.
    """

    classes: tuple[str, ...]
    first: int = 0
    ignore: int | None = None
    side: int | None = None


CAMVID = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian",
    "cyclist",
)  # fmt: skip

SETS = {
    "camvid": Labels(CAMVID, ignore=11),
    "oxford_iiit_pet": Labels(("pet", "background", "border"), first=1, side=128),
}


def segmentation(name: str, *, seed: int = 0, multiple: int = 16, stream: bool = False) -> Dataset:
    """Images in [0, 1] with a class label for each pixel.

    Args:
        name: `digit_scenes`, which are generated (see there); `camvid` or `oxford_iiit_pet`,
            prepared by TFDS in `TFDS_DATA_DIR`. Pets are resized to 128x128.
        seed: of `digit_scenes`.
        multiple: images are padded at the bottom and on the right to a multiple of this size, as a
            U-Net needs; the padding is labelled `IGNORE`.
        stream: read examples on demand instead of keeping them in memory.

    Returns:
        A set whose batches hold `image`, float32 `[batch, height, width, channels]`, and `label`,
        int32 `[batch, height, width]`, the number of the class or `IGNORE`.

    Raises:
        UserError: the set is unknown or not prepared, its masks do not fit the images, a label is
            out of range, or a package is not installed.
    """
    if name == "digit_scenes":
        return digit_scenes(seed)
    if name not in SETS:
        raise UsageError(
            f"Unknown segmentation set '{name}'; the sets are digit_scenes, {', '.join(SETS)}."
        )
    labels = SETS[name]
    found = tfds.load(name, ("image", "segmentation_mask"), stream=stream)
    examples, splits = found.examples, tfds.splits(found.sizes, found.damaged)
    if not isinstance(examples, Mapping):
        examples = Masked(examples, labels)
    else:
        examples = {"image": examples["image"], "label": examples["segmentation_mask"][..., 0]}
        _check(examples["image"], examples["label"], labels)
    prepare = functools.partial(_prepare, labels=labels, multiple=multiple)
    return Dataset(name, examples, splits, prepare, labels.classes, found.damaged)


def _prepare(batch: dict[str, Any], labels: Labels, multiple: int) -> dict[str, Any]:
    """Numbers the classes from 0, other pixels `IGNORE`, and pads image and mask."""
    label = jnp.asarray(batch["label"], jnp.int32)
    numbered = label - labels.first
    if labels.ignore is not None:
        numbered = jnp.where(label == labels.ignore, IGNORE, numbered)
    border = [(0, 0), *((0, -size % multiple) for size in label.shape[1:3])]
    image = jnp.pad(scale(batch)["image"], [*border, (0, 0)])
    return batch | {"image": image, "label": jnp.pad(numbered, border, constant_values=IGNORE)}


def _check(images: np.ndarray, masks: np.ndarray, labels: Labels) -> None:
    check_masks(images, masks, len(labels.classes), labels.ignore, labels.first)


class Masked:
    """A source of `image` and `label`, checked and resized to one size when they are read.

    Raises:
        UserError: on reading an example whose mask does not fit its image or has a label out of
            range.
    """

    def __init__(self, records: Source, labels: Labels) -> None:
        self.records, self.labels = records, labels

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Example:
        record = self.records[index]
        image, mask = record["image"], record["segmentation_mask"][..., 0]
        _check(image[None], mask[None], self.labels)
        if self.labels.side is not None:
            Image = require("PIL.Image", "resizing images")
            size = (self.labels.side, self.labels.side)
            image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
            # Class numbers must not be interpolated.
            mask = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
        return {"image": image, "label": mask}
