"""Pairs of sentences in two languages, as tokens of a joint vocabulary."""

import dataclasses
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Int, Integer

from dlcourse.data import number_words, tfds
from dlcourse.data.dataset import Dataset
from dlcourse.data.images import Rows
from dlcourse.data.optional import require
from dlcourse.data.tokenizer import FILE, Tokenizer
from dlcourse.errors import UsageError, UserError

NUMBERS = "numbers"
PADDING, START, END = 0, 1, 2
SPECIAL = ("[PAD]", "[START]", "[END]")  # the tokens with these numbers
SPLITS = ("train", "validation", "test")
OPEN = 100  # rows in which `packed` looks for room

Pair = tuple[str, str]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Translation(Dataset):
    """Sentences and their translations.

    Attributes:
        tokenizer: of both languages.
        length: tokens of the longest sentence, its end included.
        pairs: the text of each example, source and target; it is whole where its tokens are cut.
            An example of several pairs has their sentences in lines.
        dropped: number of training pairs that are left out, because a sentence is too long or
            empty.
        cut: number of longer sentences by split, whose tokens break off.
        bleu_tokens: how sacreBLEU cuts the target language into tokens.
        copies: what a run on it keeps, by file name: the tokenizer.
    """

    tokenizer: Tokenizer
    length: int
    pairs: Sequence[Pair]
    dropped: int = 0
    cut: Mapping[str, int] = dataclasses.field(default_factory=dict)
    bleu_tokens: Literal["13a", "char"] = "13a"
    copies: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def encode(self, sentences: Sequence[str]) -> dict[str, Int[np.ndarray, "batch length"]]:
        """Sentences of one's own as a batch that a learner's `apply` translates.

        Raises:
            UserError: a sentence is empty or too long.
        """
        tokens = self.tokenizer.encode_all(sentences)
        for sentence, found in zip(sentences, tokens, strict=True):
            if not sentence.strip():
                raise UserError("An empty sentence has no translation.")
            if len(found) >= self.length:
                raise UserError(
                    f"The sentence '{sentence[:40]} …' has {len(found)} tokens; the model "
                    f"translates at most {self.length - 1}. Shorten it."
                )
        return {"source": _filled(tokens, [[n] for n in range(len(tokens))], self.length)[0]}

    def decode(self, tokens: Integer[np.ndarray, "batch length"]) -> list[str]:
        """The texts of tokens, each up to its end."""
        found = []
        for row in np.asarray(tokens):
            ends = np.flatnonzero(row == END)
            found.append(self.tokenizer.decode(row[: ends[0]] if len(ends) else row))
        return found


def translation(
    name: str,
    source: str = "en",
    target: str = "de",
    *,
    vocabulary: int,
    length: int,
    pack: bool = False,
    stream: bool = False,
    folder: pathlib.Path | None = None,
) -> Translation:
    """Pairs of sentences to translate.

    Byte-pair encoding is trained on both languages of the train split together. A training pair
    with a longer sentence is left out. Longer sentences of other splits are cut, so the loss is
    over their first `length` tokens; `pairs` has them whole, and BLEU compares with these. Both are
    counted and printed.

    Args:
        name: `numbers`, generated: about 15,000 numbers below a million in words, of which no two
            splits share one; or the name of a set prepared by TFDS that has a text in each of the
            two languages, such as `multi30k`.
        source: the language to translate from.
        target: the language to translate to.
        vocabulary: number of tokens, the 256 bytes and 3 special ones included.
        length: tokens of the longest sentence, its end included.
        pack: whether a training example holds several pairs, as many as have room in `length`
            tokens; the other splits have one pair an example.
        stream: read pairs on demand.
        folder: of the run; its copy of the tokenizer is used, if there is one.

    Returns:
        A set whose batches hold `source` and `target`, int32 `[batch, length]`: tokens, `END`, then
        `PADDING`. If packed, also `source_segment` and `target_segment` of the same shape: the
        number of each token's pair in its example, from 1, and 0 for padding.

    Raises:
        UserError: there is no such set or language, nothing is short enough, or the folder's
            tokenizer is another one.
    """
    if source == target:
        raise UsageError(f"Source and target are both '{source}'. Choose two languages.")
    numbers = name == NUMBERS
    parts = _numbers(source, target) if numbers else _prepared(name, source, target)
    tokenizer = Tokenizer.kept(folder)
    if tokenizer is None:
        texts = (text for pair in parts["train"] for text in pair)
        tokenizer = Tokenizer.bpe(texts, vocabulary, SPECIAL)
    made = pairs(f"{name} {source}-{target}", parts, tokenizer, length, pack, stream=stream)
    # The German word of a number is one token of 13a, and BLEU needs four.
    return dataclasses.replace(
        made, bleu_tokens="char" if numbers else "13a", copies={FILE: tokenizer.json}
    )


def pairs(
    name: str,
    parts: Mapping[str, Sequence[Pair]],
    tokenizer: Tokenizer,
    length: int,
    pack: bool = False,
    *,
    stream: bool = False,
) -> Translation:
    """A set of three lists of pairs; see `translation`.

    Raises:
        UserError: no training pair is short enough, or the tokenizer lacks the special tokens.
    """
    found = [tokenizer.tokens[number] if number < tokenizer.size else "" for number in range(3)]
    if tuple(found) != SPECIAL:
        raise UserError(
            f"The tokenizer begins with {found}, and one for translation with {list(SPECIAL)}."
        )
    kept: list[Pair] = []
    arrays: list[list[np.ndarray]] = []
    splits, cut, dropped = {}, {}, 0
    for split in SPLITS:
        tokens = [tokenizer.encode_all(texts) for texts in zip(*parts[split], strict=True)]
        counts = np.array([[len(each) for each in side] for side in tokens])
        longest, numbers = counts.max(0), list(range(len(parts[split])))
        if split == "train":
            numbers = np.flatnonzero((longest < length) & (counts.min(0) > 0)).tolist()
            dropped = len(longest) - len(numbers)
            if not len(numbers):
                raise UserError(
                    f"No training pair of '{name}' has fewer than {length} tokens; the shortest "
                    f"has {longest.min()}."
                )
        else:
            cut[split] = int(np.sum(counts >= length))
        rows = [[number] for number in numbers]
        if pack and split == "train":
            rows = packed(counts + 1, numbers, length)
        splits[split] = len(kept) + np.arange(len(rows))
        for row in rows:
            source, target = zip(*(parts[split][number] for number in row), strict=True)
            kept.append(("\n".join(source), "\n".join(target)))
        arrays.append([array for side in tokens for array in _filled(side, rows, length)])
    if dropped or any(cut.values()):
        print(
            f"'{name}', sentences of at most {length} tokens: {dropped} of "
            f"{len(parts['train'])} training pairs are left out, {cut['validation']} validation "
            f"and {cut['test']} test sentences are cut.",
            file=sys.stderr,
        )
    names = ("source", "source_segment", "target", "target_segment")
    every = dict(zip(names, map(np.concatenate, zip(*arrays, strict=True)), strict=True))
    examples = {key: every[key] for key in (names if pack else names[::2])}
    return Translation(
        name,
        Rows(examples) if stream else examples,
        splits,
        tokenizer=tokenizer,
        length=length,
        pairs=kept,
        dropped=dropped,
        cut=cut,
    )


def packed(
    counts: Integer[np.ndarray, "sides all"], numbers: Sequence[int], length: int
) -> list[list[int]]:
    """Puts pairs into rows of `length` tokens, each into the first that has room for both sides.

    Args:
        counts: the tokens that each side of each pair needs, at most `length`.
        numbers: the pairs, in order.
        length: the tokens of a row, on each side.
    """
    rows: list[list[int]] = []
    room = np.zeros((2, 0), int)  # of the rows that are open, which are the last ones
    for number in numbers:
        (fits,) = np.nonzero(np.all(counts[:, [number]] <= room, axis=0))
        if not len(fits):
            rows.append([])
            room = np.append(room, [[length], [length]], axis=1)[:, -OPEN:]
        place = fits[0] if len(fits) else room.shape[1] - 1
        rows[len(rows) - room.shape[1] + place].append(number)
        room[:, place] -= counts[:, number]
    return rows


def _filled(
    tokens: Sequence[np.ndarray], rows: Sequence[Sequence[int]], length: int
) -> tuple[Int[np.ndarray, "batch length"], Int[np.ndarray, "batch length"]]:
    """In each row its sentences, each with its end, then padding; and their numbers in the row.

    What is too long is cut before the end.
    """
    filled, segments = np.full((2, len(rows), length), PADDING, np.int32)
    for place, row in enumerate(rows):
        start = 0
        for segment, number in enumerate(row, 1):
            each = tokens[number][: length - 1]
            stop = start + len(each) + 1
            filled[place, start:stop] = [*each, END]
            segments[place, start:stop] = segment
            start = stop
    return filled, segments


def _numbers(source: str, target: str) -> dict[str, list[Pair]]:
    """As many numbers of each count of digits are drawn, then every one is used once."""
    for language in (source, target):
        if language not in number_words.LANGUAGES:
            known = ", ".join(number_words.LANGUAGES)
            raise UsageError(f"There are no number words in '{language}'; languages are {known}.")
    say, translate = number_words.LANGUAGES[source], number_words.LANGUAGES[target]
    random = np.random.Generator(np.random.Philox(key=[2015, 3]))
    least = 10 ** random.integers(0, 6, 30_000)
    drawn = random.permutation(np.unique([0, *random.integers(least, 10 * least)]))
    parts = np.split(drawn, [1000, 2000])
    return {
        split: [(say(n), translate(n)) for n in part.tolist()]
        for split, part in zip(("validation", "test", "train"), parts, strict=True)
    }


def _prepared(name: str, source: str, target: str) -> dict[str, list[Pair]]:
    """The two texts of each record."""
    builder = tfds.opened(name)
    library: Any = require("tensorflow_datasets", f"the data set '{name}'")
    features = builder.info.features
    texts = [key for key, spec in features.items() if isinstance(spec, library.features.Text)]
    for language in (source, target):
        if language not in texts:
            raise UsageError(
                f"The data set '{name}' has no text in '{language}'; "
                f"its texts are {', '.join(texts) or 'none'}."
            )
    lacking = [split for split in SPLITS if split not in builder.info.splits]
    if lacking:
        raise UserError(f"The data set '{name}' has no {' and no '.join(lacking)} split.")
    return {
        split: [
            (record[source].decode(), record[target].decode())
            for record in builder.as_data_source(split=split)
        ]
        for split in SPLITS
    }
