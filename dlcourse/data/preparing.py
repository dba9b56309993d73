"""Writing a data set with a builder of ours, from the command line of its module."""

import pathlib
import sys
from collections.abc import Callable
from typing import Any

import tensorflow_datasets as tfds

from dlcourse.data.tfds import folder
from dlcourse.errors import UserError


def write(
    builder: type[tfds.core.GeneratorBasedBuilder], archive: Any, data_dir: pathlib.Path | None
) -> None:
    """Prepares a set as ArrayRecord files.

    Args:
        builder: its class, which takes the archive.
        archive: what the examples are read from.
        data_dir: the folder of prepared sets; `TFDS_DATA_DIR` if None.
    """
    made = builder(
        archive,
        data_dir=str(data_dir or folder()),
        file_format=tfds.core.FileFormat.ARRAY_RECORD,
    )
    made.download_and_prepare()
    print(f"Prepared in {made.data_dir}")


def command(prepare: Callable[..., None]) -> None:
    """Runs a function with the arguments of the command line; an error of a user ends it."""
    import tyro

    try:
        tyro.cli(prepare)
    except UserError as error:
        sys.exit(f"error: {error}")
