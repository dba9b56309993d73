"""Small sets prepared by TFDS in a temporary folder, and a run that trains on one."""

import io

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image


def png(pixels: np.ndarray) -> bytes:
    """`pixels`, `[height, width]` or `[height, width, 3]`, as the bytes of a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def grey(value: int) -> bytes:
    """A PNG of 4x4 pixels of one value."""
    return png(np.full((4, 4), value, np.uint8))


def prepare(folder, splits, *, name="given", image=None, label=None):
    """Prepares `name` in `folder`, in the order given.

    Args:
        folder: the data folder.
        splits: from the name of a split to its examples, pairs of image file and label.
        name: of the set, `set` or `set/config`.
        image: the feature; default: 4x4 grey.
        label: the feature; default: classes a, b, c.
    """
    features = tfds.features.FeaturesDict(
        {
            "image": image or tfds.features.Image(shape=(4, 4, 1)),
            "label": label or tfds.features.ClassLabel(names=["a", "b", "c"]),
        }
    )
    own, _, config = name.partition("/")

    class Given(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=config)] if config else []

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples(rows) for split, rows in splits.items()}

        def _generate_examples(self, rows):
            for number, (file, label) in enumerate(rows):
                yield number, {"image": file, "label": label}

    Given.name = own
    Given(data_dir=folder, file_format="array_record").download_and_prepare()


def rows(count: int, damaged=(), classes: int = 3) -> list[tuple[bytes, int]]:
    """Examples whose grey value is their number; PNGs that break off where damaged."""
    files = [grey(number) for number in range(count)]
    return [
        (file[:-30] + bytes(30) if number in damaged else file, number % classes)
        for number, file in enumerate(files)
    ]
