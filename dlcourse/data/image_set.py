"""The options of experiments on labelled images: which ones."""

import dataclasses

from dlcourse.data.dataset import Dataset
from dlcourse.data.images import images


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Fields of experiments on labelled images, inherited beside those of all experiments.

    class Config(training.Config, data.ImageSet): ...

    images = config.images()
    """

    stream: bool  # all experiments have it
    dataset: str = "digits"
    """`digits`, which is bundled; the name of a labelled image set prepared by TFDS; the path of a
    folder of images, with one folder for each class; or that of an `.npz` file."""
    image_size: int | None = None
    """Resize images of a folder to this height and width, and cut off what is longer."""

    def images(self) -> Dataset:
        """The set; see `images`."""
        return images(self.dataset, stream=self.stream, size=self.image_size)
