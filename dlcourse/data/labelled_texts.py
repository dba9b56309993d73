"""Texts with a class each, as tokens of one length."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Integer

from dlcourse.data import opinions, tfds
from dlcourse.data.dataset import Dataset
from dlcourse.data.images import Rows
from dlcourse.data.tokenizer import FILE, Tokenizer
from dlcourse.errors import UserError

PADDING, BEGIN, END = "[PAD]", "[CLS]", "[SEP]"
AT_ONCE = 1000  # records that are read together
Encode = Callable[[Sequence[str]], dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class LabelledTexts(Dataset):
    """Texts with a class each.

    Attributes:
        texts: of all splits, by number.
        tokenizer: of the train split, or of a pretrained network.
        encode: the arrays of texts, as the examples have them.
        copies: what a run on it keeps, by file name: the tokenizer.
    """

    texts: Sequence[str]
    tokenizer: Tokenizer
    encode: Encode
    copies: Mapping[str, str]

    def of(self, split: str) -> tuple[list[str], np.ndarray]:
        """The texts and the labels of a split."""
        return [self.texts[number] for number in self.splits[split]], self.labels(split)


def labelled_texts(
    name: str,
    *,
    length: int,
    pieces: int = 8000,
    tokenizer: Callable[[], Tokenizer] | None = None,
    folder: pathlib.Path | None = None,
    stream: bool = False,
) -> LabelledTexts:
    """Texts with a class each, as BERT reads them: `[CLS]`, the pieces of the text, `[SEP]`.

    Args:
        name: `generated_reviews`, sentences of a grammar (see `data.opinions`); or the name of a
            set prepared by TFDS with the features `text` and `label`, such as `imdb_reviews` or our
            `rotten_tomatoes`. Splits that it lacks are cut off its train split; see `tfds.splits`.
        length: of every example. A longer text loses its middle: a quarter of what stays is its
            beginning, the rest its end (Sun et al., 2019). A shorter one is padded with 0.
        pieces: of the WordPiece vocabulary that is learned from the train split.
        tokenizer: reads a pretrained network's, in place of a new one.
        folder: of the run; its copy of the tokenizer is taken in place of either.
        stream: make examples on demand.

    Returns:
        A set whose batches hold `text`, a dict with `tokens`, int32 `[batch, length]`, and `label`,
        int32 `[batch]`.

    Raises:
        UserError: there is no such set, it has no texts and labels, or the tokenizer lacks
            `[CLS]` and `[SEP]`, or does not number `[PAD]` 0.
    """
    texts, labels, splits, classes = _generated() if name == opinions.NAME else _prepared(name)
    found = Tokenizer.kept(folder)
    if found is None and tokenizer is not None:
        found = tokenizer()
    elif found is None:
        found = Tokenizer.word_pieces((texts[number] for number in splits["train"]), pieces)
    encode = encoder(found, length)
    arrays = encode(texts) | {"label": labels}
    return LabelledTexts(
        name,
        Rows(arrays) if stream else arrays,
        splits,
        _as_text,
        classes,
        texts=texts,
        tokenizer=found,
        encode=encode,
        copies={FILE: found.json},
    )


def encoder(tokenizer: Tokenizer, length: int) -> Encode:
    """A function from texts to `tokens`, `[texts, length]`; see `labelled_texts`.

    Raises:
        UserError: the tokenizer lacks the special tokens.
    """
    begin, end = tokenizer.number(BEGIN), tokenizer.number(END)
    if tokenizer.number(PADDING) != 0:
        raise UserError(f"The tokenizer numbers {PADDING} {tokenizer.number(PADDING)}, not 0.")

    def encode(texts: Sequence[str]) -> dict[str, np.ndarray]:
        tokens = np.zeros((len(texts), length), tokenizer.dtype)
        for row, pieces in zip(tokens, tokenizer.encode_all(texts), strict=True):
            kept = pieces if len(pieces) <= length - 2 else shortened(pieces, length - 2)
            row[0], row[1 : len(kept) + 1], row[len(kept) + 1] = begin, kept, end
        return {"tokens": tokens}

    return encode


def shortened(tokens: Integer[np.ndarray, " length"], most: int) -> Integer[np.ndarray, " kept"]:
    """At most `most` of the tokens: the first quarter from the beginning, the rest from the end."""
    if len(tokens) <= most:
        return tokens
    head = most // 4
    return np.concatenate([tokens[:head], tokens[len(tokens) - (most - head) :]])


def _as_text(batch: dict[str, Any]) -> dict[str, Any]:
    others = {name: array for name, array in batch.items() if name != "tokens"}
    return others | {"text": {"tokens": jnp.asarray(batch["tokens"]).astype(jnp.int32)}}


def _generated() -> Any:
    texts, labels = opinions.opinions()
    return (
        [text for split in texts.values() for text in split],
        np.array([label for split in labels.values() for label in split], np.int32),
        tfds.splits({split: len(split_texts) for split, split_texts in texts.items()}),
        opinions.CLASSES,
    )


def _prepared(name: str) -> Any:
    """The texts and labels of a set, the numbers of its splits, and its classes."""
    builder = tfds.opened(name)
    features, own = builder.info.features, tfds.own_names(name, builder.info.splits)
    lacking = [feature for feature in ("text", "label") if feature not in features]
    if lacking:
        raise UserError(f"The data set '{name}' has no feature '{lacking[0]}'.")
    texts: list[str] = []
    labels: list[int] = []
    sizes = {}
    for split, theirs in own.items():
        source = builder.as_data_source(split=theirs)
        sizes[split] = len(source)
        for start in range(0, len(source), AT_ONCE):
            numbers = list(range(start, min(start + AT_ONCE, len(source))))
            for record in source.__getitems__(numbers):
                texts.append(record["text"].decode(errors="replace"))
                labels.append(int(record["label"]))
    classes = tuple(features["label"].names)
    return texts, np.array(labels, np.int32), tfds.splits(sizes), classes
