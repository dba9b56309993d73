"""A TFDS builder for Multi30k: image captions in English, German and French.

    python -m dlcourse.data.multi30k --archive dataset/data/task1/raw

D. Elliott, S. Frank, K. Sima'an and L. Specia, "Multi30K: Multilingual English-German image
descriptions", 2016. The raw text of task 1, from github.com/multi30k/dataset: `train`, `val` and
`test_2016_flickr`, each as `NAME.en`, `NAME.de` and `NAME.fr`, one sentence a line, plain or as
`.gz`. A language whose files are missing is left out. CC BY-NC-SA 4.0.
"""

import gzip
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow_datasets as tfds

from dlcourse.data.preparing import command, write
from dlcourse.errors import UserError

PARTS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}  # names of the files
LANGUAGES = ("en", "de", "fr")


class Multi30k(tfds.core.GeneratorBasedBuilder):
    """The builder that `prepare` runs."""

    name = "multi30k"
    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, archive: pathlib.Path, **options: Any) -> None:
        self.archive, self.languages = archive, languages(archive)
        super().__init__(**options)

    def _info(self) -> tfds.core.DatasetInfo:
        texts = {language: tfds.features.Text() for language in self.languages}
        return tfds.core.DatasetInfo(
            builder=self,
            description=__doc__,
            features=tfds.features.FeaturesDict(texts),
            homepage="https://github.com/multi30k/dataset",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager  # nothing is downloaded
        return {split: self._generate_examples(split) for split in PARTS}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, str]]]:
        return enumerate(examples(self.archive, split, self.languages))


def languages(archive: pathlib.Path) -> tuple[str, ...]:
    """The languages with a file for every split.

    Raises:
        UserError: there are fewer than two.
    """
    found = [
        language
        for language in LANGUAGES
        if all(_file(archive, part, language) is not None for part in PARTS.values())
    ]
    if len(found) < 2:
        raise UserError(
            f"{archive} lacks the raw text of task 1: {', '.join(PARTS.values())}, each as .en and "
            ".de, plain or as .gz."
        )
    return tuple(found)


def examples(
    archive: pathlib.Path, split: str, languages: Sequence[str]
) -> Iterator[dict[str, str]]:
    """The sentences of a split: a caption in each language.

    Args:
        archive: the folder with the files.
        split: `train`, `validation` or `test`.
        languages: those to read.

    Raises:
        UserError: the files differ in length, or one is not UTF-8.
    """
    lines = {language: _lines(archive, PARTS[split], language) for language in languages}
    counts = {language: len(texts) for language, texts in lines.items()}
    if len(set(counts.values())) > 1:
        named = ", ".join(f"{count} in {language}" for language, count in counts.items())
        raise UserError(f"The sentences of {PARTS[split]} in {archive} do not pair up: {named}.")
    for texts in zip(*lines.values(), strict=True):
        yield dict(zip(lines, texts, strict=True))


def prepare(archive: pathlib.Path, data_dir: pathlib.Path | None = None) -> None:
    """Writes Multi30k as ArrayRecord files, for `--dataset multi30k`.

    Args:
        archive: the folder `data/task1/raw` of the repository.
        data_dir: the folder of prepared sets. Default: `TFDS_DATA_DIR`.

    Raises:
        UserError: files are missing or do not fit together.
    """
    write(Multi30k, archive, data_dir)


def _file(archive: pathlib.Path, part: str, language: str) -> pathlib.Path | None:
    plain = archive / f"{part}.{language}"
    return next((f for f in (plain, plain.with_name(f"{plain.name}.gz")) if f.is_file()), None)


def _lines(archive: pathlib.Path, part: str, language: str) -> list[str]:
    file = _file(archive, part, language)
    if file is None:
        raise UserError(f"{archive} has no {part}.{language}.")
    try:
        content = file.read_bytes()
        content = gzip.decompress(content) if file.suffix == ".gz" else content
        text = content.decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read as text ({error}).") from error
    # Only \n ends a line: a caption may contain other characters that `splitlines` cuts at.
    return [line.strip() for line in text.rstrip("\n").split("\n")]


if __name__ == "__main__":
    command(prepare)
