"""Documents, which are lists of sentences: what models are pretrained on."""

import pathlib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dlcourse.data import tfds
from dlcourse.data.text import BUNDLED, COPY, bundled, kept, read
from dlcourse.errors import UserError

PARAGRAPHS = 20  # of a text that make a document
HEADING = re.compile(r"^[^\n:]+:\n")  # who speaks
END = re.compile(r"(?<=[.!?])\s+")  # of a sentence
BREAK = re.compile(r"\s*<br\s*/?>\s*")  # of a line, in reviews
UNLABELLED = ("unsupervised", "train")  # splits of a prepared set, the first that it has

Document = list[str]


class Documents(NamedTuple):
    """Documents in their order, and what a run on them keeps.

    Attributes:
        sentences: of each document.
        copies: texts by file name: the text, if it is one of the user's own.
    """

    sentences: list[Document]
    copies: Mapping[str, str]


def documents(name: str, *, folder: pathlib.Path | None = None) -> Documents:
    """The documents of a text or of a prepared set.

    A sentence ends with a full stop, a question or an exclamation mark before a space. A document
    has at least two sentences; others are left out.

    Args:
        name: `shakespeare`, which is bundled: a document is 20 speeches one after another, without
            the names of the speakers. The path of a `.txt` file in UTF-8: 20 paragraphs, which
            blank lines separate. Or the name of a set prepared by TFDS whose records have a text,
            such as `imdb_reviews`: a record is a document; its `unsupervised` split is read if
            there is one, else `train`.
        folder: of the run; its copy of a text of one's own is read in place of the original.

    Raises:
        UserError: there is no such text, or it has fewer than 10 documents.
    """
    copies = {}
    if name == BUNDLED:
        found = _cut([HEADING.sub("", speech) for speech in bundled().split("\n\n")])
    elif name.endswith(".txt"):
        copies[COPY] = read(kept(name, folder))
        found = _cut(re.split(r"\n\s*\n", copies[COPY]))
    else:
        found = [_sentences([BREAK.sub("\n", text)]) for text in _prepared(name)]
    found = [document for document in found if len(document) > 1]
    if len(found) < 10:
        raise UserError(f"'{name}' has {len(found)} documents; pretraining needs at least 10.")
    return Documents(found, copies)


def _cut(paragraphs: list[str]) -> list[Document]:
    starts = range(0, len(paragraphs), PARAGRAPHS)
    return [_sentences(paragraphs[start : start + PARAGRAPHS]) for start in starts]


def _sentences(paragraphs: Iterable[str]) -> Document:
    return [s for paragraph in paragraphs for s in END.split(paragraph.strip()) if s]


def _prepared(name: str) -> Iterable[str]:
    builder = tfds.opened(name)
    split = next((each for each in UNLABELLED if each in builder.info.splits), None)
    if split is None or "text" not in builder.info.features:
        raise UserError(f"The data set '{name}' has no train split with a feature 'text'.")
    return (record["text"].decode() for record in builder.as_data_source(split=split))
