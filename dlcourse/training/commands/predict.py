"""What a trained classifier sees in image files."""

import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from dlcourse.data.own_files import read_image
from dlcourse.errors import UsageError
from dlcourse.training.run.finished import Run


def describe_predictions(run: Run, files: Sequence[pathlib.Path], most: int) -> Iterator[str]:
    """One line for each file: its most probable classes, `cat.png  cat 97.1 %, dog 2.9 %`.

    Args:
        run: of a classifier of images.
        files: any images; see `read_image`.
        most: how many classes.

    Raises:
        UserError: a file cannot be read, or the run trained no classifier of images.
    """
    shape = run.experiment.data.shapes.get("image")
    if shape is None or not run.experiment.data.classes:
        raise UsageError(f"{run.folder} holds no classifier of images.")
    if not files:
        raise UsageError("There is no image file to look at.")
    images = np.stack([read_image(file, shape) for file in files])
    width = max(len(str(file)) for file in files)
    for file, found in zip(files, run.predict(images), strict=True):
        classes = [f"{name} {100 * p:.1f} %" for name, p in list(found.items())[:most]]
        yield f"{file!s:{width}}  {', '.join(classes)}"
