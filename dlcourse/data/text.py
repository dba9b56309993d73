"""Texts as sequences of characters, for language models."""

import dataclasses
import gzip
import importlib.resources
import pathlib
from collections.abc import Mapping

import numpy as np
from jaxtyping import Integer

from dlcourse.data import tfds
from dlcourse.data.dataset import Dataset
from dlcourse.data.tokenizer import Tokenizer
from dlcourse.data.windows import StreamedWindows, Windows
from dlcourse.errors import UsageError, UserError

BUNDLED = "shakespeare"
COPY = "text.txt"  # in the folder of a run on a text of one's own
SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Text(Dataset):
    """A text cut into windows.

    Attributes:
        tokenizer: the characters of the train split.
        parts: the tokens of each split, `[characters]`.
        copies: what a run on it keeps, by file name: the text, if it is one of the user's own.
    """

    tokenizer: Tokenizer
    parts: Mapping[str, Integer[np.ndarray, " characters"]]
    copies: Mapping[str, str] = dataclasses.field(default_factory=dict)


def text(
    name: str, *, context: int, stream: bool = False, folder: pathlib.Path | None = None
) -> Text:
    """A text of characters in windows of `context`.

    The first 90 % are the train split, then 5 % validation and 5 % test. Each position of the train
    split begins a training window. The others are cut into blocks that follow one another: each
    character but the first is predicted once, given 1 to `context` characters before it. nanoGPT's
    loss on tiny shakespeare is the mean over random blocks of the last 10 %, validation and test
    together; here it is the mean over all blocks of either.

    Args:
        name: `shakespeare`, which is bundled (see `bundled/README.md`); the path of a `.txt` file
            in UTF-8; or the name of a set prepared by TFDS that has a text and these three splits,
            such as `tiny_shakespeare`.
        context: characters that a window predicts.
        stream: make windows on the host when they are needed.
        folder: of the run; its copy of a text of one's own is read in place of the original, which
            may have changed since.

    Returns:
        A set whose batches hold `tokens` and `next`, int32 `[batch, context]`; `next` is `NO_TOKEN`
        after the end of a split.

    Raises:
        UserError: there is no such text, it is not UTF-8, or it is too short.
    """
    if name == BUNDLED:
        return characters(name, _cut(bundled()), context=context, stream=stream)
    if not name.endswith(".txt"):
        return characters(name, _prepared(name), context=context, stream=stream)
    content = read(kept(name, folder))
    made = characters(name, _cut(content), context=context, stream=stream)
    return dataclasses.replace(made, copies={COPY: content})


def characters(name: str, parts: Mapping[str, str], *, context: int, stream: bool = False) -> Text:
    """A set of three texts, `train`, `validation` and `test`; see `text`.

    Raises:
        UserError: one is too short.
    """
    for split in SPLITS:
        needed = context + 1 if split == "train" else 2
        if len(parts[split]) < needed:
            raise UserError(
                f"The {split} split of '{name}' has {len(parts[split])} characters; a context of "
                f"{context} needs {needed}."
            )
    tokenizer = Tokenizer.characters(parts["train"])
    tokens = {split: tokenizer.encode(parts[split]) for split in SPLITS}
    ends = np.cumsum([len(tokens[split]) for split in SPLITS])
    windows = Windows(context, tuple(ends.tolist()))
    arrays = {"text": np.concatenate([tokens[split] for split in SPLITS])}
    return Text(
        name,
        StreamedWindows(arrays, windows, windows.ends[-1]) if stream else arrays,
        windows.splits(SPLITS),
        gather=windows,
        tokenizer=tokenizer,
        parts=tokens,
    )


def kept(name: str, folder: pathlib.Path | None, copy: str = COPY) -> pathlib.Path:
    """The file of a user, or the copy that the folder of a run has of it.

    Args:
        name: the path of the file.
        folder: of the run, if there is one.
        copy: what it calls its copy.
    """
    place = folder / copy if folder is not None else None
    return place if place is not None and place.exists() else pathlib.Path(name)


def read(file: pathlib.Path) -> str:
    """The content of a text file.

    Raises:
        UserError: there is none, or it is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} is not UTF-8: byte {error.object[error.start]:#04x} at {error.start}. Convert "
            f"it, for example: iconv -f latin1 -t utf-8 {file} > utf8.txt"
        ) from error
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror or error}).") from error


def _cut(content: str) -> dict[str, str]:
    """90 %, 5 % and 5 %."""
    first, second = int(0.9 * len(content)), int(0.95 * len(content))
    return dict(
        zip(SPLITS, (content[:first], content[first:second], content[second:]), strict=True)
    )


def bundled() -> str:
    """The text of `shakespeare`."""
    place = importlib.resources.files("dlcourse.data") / "bundled" / f"{BUNDLED}.txt.gz"
    return gzip.decompress(place.read_bytes()).decode()


def _prepared(name: str) -> dict[str, str]:
    """The texts of the records of each split, one after another."""
    builder = tfds.opened(name)
    lacking = [split for split in SPLITS if split not in builder.info.splits]
    if lacking or "text" not in builder.info.features:
        what = f"{' and '.join(lacking)} split" if lacking else "feature 'text'"
        raise UserError(f"The data set '{name}' has no {what}; a language model needs it.")
    return {
        split: "".join(record["text"].decode() for record in builder.as_data_source(split=split))
        for split in SPLITS
    }
