"""Images with a class for every pixel: scenes of digits, CamVid, Oxford Pets."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from PIL import Image

from dlcourse.data import tfds
from dlcourse.data.dataset import Dataset, Example, Source
from dlcourse.data.images import scale
from dlcourse.data.masks import check_masks
from dlcourse.data.scenes import digit_scenes
from dlcourse.errors import UserError

IGNORE = -1  # the label of pixels of no known class, in every set


class Labels(NamedTuple):
    """What the numbers in a set's masks mean.

    Attributes:
        classes: their names.
        first: the number of the first class.
        ignore: the number of pixels of no known class.
        side: height and width to bring the images to, for a set whose images differ in size.
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
    """Images in [0, 1] and a class for each of their pixels.

    Args:
        name: `digit_scenes`, which are made (see there); `camvid` or `oxford_iiit_pet`, prepared
            by TFDS in `TFDS_DATA_DIR`. Pets are brought to 128x128.
        seed: of the scenes.
        multiple: images are padded at the bottom and right to multiples of so many pixels, as a
            U-Net needs; what is added is labelled `IGNORE`.
        stream: read examples as they are needed instead of keeping them in memory.

    Returns:
        A set whose batches hold `image`, float32 `[batch, height, width, channels]`, and `label`,
        int32 `[batch, height, width]`, the number of the class or `IGNORE`.

    Raises:
        UserError: the set is not known or not prepared, or its masks hold other labels.
    """
    if name == "digit_scenes":
        return digit_scenes(seed)
    if name not in SETS:
        raise UserError(
            f"'{name}' is no segmentation set whose classes are known here; "
            f"there are digit_scenes, {', '.join(SETS)}."
        )
    labels = SETS[name]
    examples, sizes, _ = tfds.load(name, ("image", "segmentation_mask"), stream=stream)
    if not isinstance(examples, Mapping):
        examples = Masked(examples, labels)
    else:
        examples = {"image": examples["image"], "label": examples["segmentation_mask"][..., 0]}
        _check(examples["image"], examples["label"], labels)
    prepare = functools.partial(_prepare, labels=labels, multiple=multiple)
    return Dataset(name, examples, tfds.splits(sizes), prepare=prepare, classes=labels.classes)


def _prepare(batch: dict[str, Any], labels: Labels, multiple: int) -> dict[str, Any]:
    """Classes counted from 0, the others `IGNORE`; image and mask padded."""
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
    """A source of images with masks, brought to one size and named as a learner expects.

    Raises:
        UserError: from reading an example whose mask is not its image's, or holds other labels.
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
            size = (self.labels.side, self.labels.side)
            image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
            # Between two classes there is no third.
            mask = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
        return {"image": image, "label": mask}
