"""Texts as sequences of characters or of byte pairs, for language models."""

import dataclasses
import gzip
import importlib.resources
import pathlib
from collections.abc import Mapping

import numpy as np
from jaxtyping import Int, Integer

from dlcourse.data import tfds
from dlcourse.data.dataset import Dataset
from dlcourse.data.tokenizer import FILE, Tokenizer
from dlcourse.data.windows import StreamedWindows, Windows
from dlcourse.errors import UsageError, UserError

BUNDLED = "shakespeare"
COPY = "text.txt"  # in the folder of a run on a text of one's own
SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Text(Dataset):
    """A text cut into windows.

    Attributes:
        tokenizer: of the text.
        context: tokens of a window.
        parts: the tokens of each split, `[tokens]`.
        lengths: the characters of each split.
        copies: what a run on it keeps, by file name: the tokenizer, and the text if it is one of
            the user's own.
    """

    tokenizer: Tokenizer
    context: int
    parts: Mapping[str, Integer[np.ndarray, " tokens"]]
    lengths: Mapping[str, int]
    copies: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def density(self, split: str) -> float:
        """Predicted tokens for each character: nats a token times this are nats a character."""
        return (len(self.parts[split]) - 1) / (self.lengths[split] - 1)

    def encode(self, prompt: str) -> dict[str, Int[np.ndarray, "1 prompt"]]:
        """A prompt as a batch that a language model's `apply` continues.

        Raises:
            UserError: the prompt is empty, leaves no room in the context, or has a character that
                the train split lacks.
        """
        tokens = self.tokenizer.encode(prompt, strict=True).astype(np.int32)
        if not len(tokens):
            raise UserError("The prompt is empty; a model continues at least one token.")
        if len(tokens) >= self.context:
            raise UserError(
                f"The prompt has {len(tokens)} tokens; a context of {self.context} has room for "
                f"{self.context - 1}. Shorten it, or enlarge the context."
            )
        return {"prompt": tokens[None]}


def text(
    name: str,
    *,
    context: int,
    vocabulary: int | None = None,
    stream: bool = False,
    folder: pathlib.Path | None = None,
) -> Text:
    """A text in windows of `context` tokens.

    The first 90 % are the train split, then 5 % validation and 5 % test. Each position of the train
    split begins a training window. The others are cut into blocks that follow one another: each
    token but the first is predicted once, given 1 to `context` tokens before it. nanoGPT's
    loss on tiny shakespeare is the mean over random blocks of the last 10 %, validation and test
    together; here it is the mean over all blocks of either.

    Args:
        name: `shakespeare`, which is bundled (see `bundled/README.md`); the path of a `.txt` file
            in UTF-8; or the name of a set prepared by TFDS that has a text and these three splits,
            such as `tiny_shakespeare`.
        context: tokens that a window predicts.
        vocabulary: number of tokens of a byte-pair encoding that is trained on the train split, the
            256 bytes included. By default a token is a character of the train split.
        stream: make windows on the host when they are needed.
        folder: of the run; its tokenizer, and its copy of a text of one's own, are read in place of
            the original, which may have changed since.

    Returns:
        A set whose batches hold `tokens` and `next`, int32 `[batch, context]`; `next` is `NO_TOKEN`
        after the end of a split.

    Raises:
        UserError: there is no such text, it is not UTF-8, or it is too short.
    """
    copies = {}
    if name == BUNDLED:
        parts = _cut(bundled())
    elif name.endswith(".txt"):
        copies[COPY] = read(kept(name, folder))
        parts = _cut(copies[COPY])
    else:
        parts = _prepared(name)
    tokenizer = Tokenizer.kept(folder)
    if tokenizer is None and vocabulary is not None:
        tokenizer = Tokenizer.bpe(parts["train"].splitlines(keepends=True), vocabulary)
    made = cut_text(name, parts, context=context, tokenizer=tokenizer, stream=stream)
    return dataclasses.replace(made, copies={FILE: made.tokenizer.json, **copies})


def cut_text(
    name: str,
    parts: Mapping[str, str],
    *,
    context: int,
    tokenizer: Tokenizer | None = None,
    stream: bool = False,
) -> Text:
    """A set of three texts, `train`, `validation` and `test`; see `text`.

    Args:
        name: of the set.
        parts: the text of each split.
        context: tokens that a window predicts.
        tokenizer: of all three; the characters of the train split if not given.
        stream: make windows on the host when they are needed.

    Raises:
        UserError: one is too short.
    """
    tokenizer = tokenizer or Tokenizer.characters(parts["train"])
    tokens = {split: tokenizer.encode(parts[split]) for split in SPLITS}
    for split in SPLITS:
        needed = context + 1 if split == "train" else 2
        if len(tokens[split]) < needed:
            raise UserError(
                f"The {split} split of '{name}' has {len(tokens[split])} tokens; a context of "
                f"{context} needs {needed}."
            )
    ends = np.cumsum([len(tokens[split]) for split in SPLITS])
    windows = Windows(context, tuple(ends.tolist()))
    arrays = {"text": np.concatenate([tokens[split] for split in SPLITS])}
    return Text(
        name,
        StreamedWindows(arrays, windows, windows.ends[-1]) if stream else arrays,
        windows.splits(SPLITS),
        gather=windows,
        tokenizer=tokenizer,
        context=context,
        parts=tokens,
        lengths={split: len(parts[split]) for split in SPLITS},
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
