"""Pairs of stretches of text, of which the second follows the first or does not."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Integer

from dlcourse.data.dataset import Dataset, split_off, take
from dlcourse.data.documents import Document, documents
from dlcourse.data.masking import Masking
from dlcourse.data.stretches import LONGEST, Stretches
from dlcourse.data.tokenizer import BERT, FILE, Tokenizer
from dlcourse.data.units import Level, names
from dlcourse.data.windows import StreamedWindows
from dlcourse.errors import UserError

FOLLOWS, ELSEWHERE, SAME_DOCUMENT = 0, 1, 2  # kinds of pairs
DRAWS = 4  # random seconds of each first in an epoch
HELD_OUT = 500  # documents of the validation and of the test split, at most

Numbers = Integer[np.ndarray, " n"]


@dataclasses.dataclass(frozen=True)
class Joined:
    """Makes examples `[CLS] first [SEP] second [SEP]`, padded with 0.

    It is the `gather` of a `Dataset` with the arrays `tokens` and `begins`, of all stretches one
    after another, `starts`, where each begins, and `pairs`: first, second, kind.

    Attributes:
        length: of an example.
        first, last: the numbers of `[CLS]` and `[SEP]`.
    """

    length: int
    first: int
    last: int

    def __call__(self, arrays: Mapping[str, Any], index: Any) -> dict[str, Any]:
        """From numbers `[...]` to `tokens`, `segments`, `units` `[..., length]` and `kind` `[...]`.

        Segments are 1 in the second stretch and its `[SEP]`. Units are those of `Masking`.
        """
        xp = jnp if isinstance(index, jax.Array) else np
        pair = take(arrays["pairs"], index)[..., None]
        place = np.arange(self.length, dtype=np.int32).reshape((1,) * index.ndim + (-1,))
        a0, b0 = (take(arrays["starts"], pair[..., k, :]) for k in (0, 1))
        a1, b1 = (take(arrays["starts"], pair[..., k, :] + 1) for k in (0, 1))
        middle = 1 + a1 - a0
        end = middle + 1 + b1 - b0
        in_first = (place > 0) & (place < middle)
        in_second = (place > middle) & (place < end)
        inside = in_first | in_second
        source = xp.where(in_first, a0 + place - 1, xp.where(in_second, b0 + place - middle - 1, 0))
        special = xp.where(place == 0, self.first, self.last)
        special = xp.where((place == 0) | (place == middle) | (place == end), special, 0)
        begins = xp.where(inside, take(arrays["begins"], source), 0)
        units = xp.where(inside, xp.cumsum(begins, axis=-1), 0)
        found = {
            "tokens": xp.where(inside, take(arrays["tokens"], source), special),
            "segments": (place > middle) & (place <= end),
            "units": units,
            "kind": pair[..., 2, 0],
        }
        return {name: array.astype(np.int32) for name, array in found.items()}


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class SentencePairs(Dataset):
    """Pairs of stretches of documents.

    Attributes:
        tokenizer: WordPiece of the train split.
        masking: how tokens are hidden.
        parts: the tokens of each split, one document after another.
        copies: what a run on it keeps, by file name.
    """

    tokenizer: Tokenizer
    masking: Masking
    parts: Mapping[str, Numbers]
    copies: Mapping[str, str]


def sentence_pairs(
    name: str,
    *,
    length: int,
    vocabulary: int,
    level: Level = "basic",
    stream: bool = False,
    folder: pathlib.Path | None = None,
) -> SentencePairs:
    """Pairs for the two tasks of BERT; see `pairs`.

    Args:
        name: of a text or a set, see `documents`.
        length: tokens of an example.
        vocabulary: tokens of the WordPiece tokenizer, which is trained on the train split.
        level: what is masked as a whole.
        stream: make examples on the host when they are needed.
        folder: of the run; its tokenizer is used if it has one.

    Raises:
        UserError: there is no such text, it is too short, or the length is below 5.
    """
    found = documents(name, folder=folder)
    splits = split_documents(found.sentences)
    tokenizer = Tokenizer.kept(folder)
    if tokenizer is None:
        tokenizer = Tokenizer.word_pieces(map("\n".join, splits["train"]), vocabulary)
    made = pairs(name, splits, tokenizer, length=length, level=level, stream=stream)
    return dataclasses.replace(made, copies={FILE: tokenizer.json, **found.copies})


def split_documents(found: Sequence[Document]) -> dict[str, list[Document]]:
    """Documents at random in three splits: a tenth each for validation and test, at most 500.

    Pairs of one document are never in two splits.
    """
    count = min(len(found) // 10, HELD_OUT)
    rest, test = split_off(count, len(found))
    train, validation = split_off(count, len(rest))
    parts = {"train": rest[train], "validation": rest[validation], "test": test}
    return {split: [found[i] for i in numbers] for split, numbers in parts.items()}


def pairs(
    name: str,
    splits: Mapping[str, Sequence[Document]],
    tokenizer: Tokenizer,
    *,
    length: int,
    level: Level = "basic",
    stream: bool = False,
) -> SentencePairs:
    """A set of pairs of stretches of documents.

    A document is cut into stretches of whole sentences with at most `(length - 3) / 2` tokens; a
    longer sentence is cut. In a pair the second stretch follows the first (`FOLLOWS`) or is the
    second one of a pair of another document of the split (`ELSEWHERE`), each equally often: firsts
    and seconds of both kinds have the same lengths and places in their documents. In training every
    first meets 4 seconds of other documents. Validation and test also have pairs whose second is
    another one of the same document (`SAME_DOCUMENT`); the topic does not give these away. There
    each first comes once with each kind, and documents without such a second have no pairs.

    Args:
        name: of the set.
        splits: documents of `train`, `validation` and `test`.
        tokenizer: of words.
        length: tokens of an example.
        level: what is masked as a whole.
        stream: make examples on the host when they are needed.

    Returns:
        A set whose batches hold what `Joined` makes.

    Raises:
        UserError: a split has no pair, or the length is below 5.
    """
    if length < 5:
        raise UserError(f"Two stretches of text need at least 5 tokens; length is {length}.")
    known = names(sentence for document in splits["train"] for sentence in document)
    stretches = Stretches(tokenizer, level, known, (length - 3) // 2)
    random = np.random.Generator(np.random.Philox(key=[2024, 1]))
    rows, numbers, bounds, parts, count = [], {}, [0], {}, 0
    for split, documents_of_split in splits.items():
        before = len(stretches.lengths)
        counts = [stretches.add(document) for document in documents_of_split]
        made = _rows(np.array(counts), before, random, split == "train")
        if len(made) == 0:
            raise UserError(f"The {split} split of '{name}' has no pairs: its documents are short.")
        rows.append(made)
        numbers[split] = np.arange(count, count + len(made))
        count += len(made)
        bounds.append(len(stretches.tokens))
        parts[split] = np.array(stretches.tokens[bounds[-2] :], tokenizer.dtype)
    arrays = {
        "tokens": np.concatenate(list(parts.values())),
        "begins": np.array(stretches.begins, np.uint8),
        "starts": np.concatenate([[0], np.cumsum(stretches.lengths)]).astype(np.int32),
        "pairs": np.concatenate(rows).astype(np.int32),
    }
    first, last, mask = (tokenizer.number(token) for token in ("[CLS]", "[SEP]", "[MASK]"))
    joined = Joined(length, first, last)
    longest = 1 if level == "basic" else min(LONGEST, joined.length)
    return SentencePairs(
        name,
        StreamedWindows(arrays, joined, count) if stream else arrays,
        numbers,
        gather=joined,
        tokenizer=tokenizer,
        masking=Masking(mask, len(BERT), tokenizer.size, longest),
        parts=parts,
        copies={},
    )


def _rows(
    counts: Numbers, before: int, random: np.random.Generator, train: bool
) -> Integer[np.ndarray, "rows 3"]:
    """The pairs of a split: its documents have `counts` stretches, the first of number `before`."""
    # Not in training, a document needs a stretch that neither is the first nor follows it.
    used = counts > (1 if train else 3)
    begin = before + np.cumsum(counts) - counts
    of_document = np.where(used, counts - 1, 0)
    document = np.repeat(np.arange(len(counts)), of_document)
    within = np.arange(len(document)) - (np.cumsum(of_document) - of_document)[document]
    first = begin[document] + within
    follows = np.stack([first, first + 1, np.full(len(first), FOLLOWS)], axis=1)
    others = len(first) - of_document[document]  # pairs of other documents
    if len(first) == 0 or others.min(initial=1) == 0:
        return np.zeros((0, 3), np.int64)

    def elsewhere() -> np.ndarray:
        # Skips the pairs of the own document, which are next to each other.
        skipped = np.cumsum(of_document)[document]
        drawn = (skipped + random.integers(0, others)) % len(first)
        return np.stack([first, first[drawn] + 1, np.full(len(first), ELSEWHERE)], axis=1)

    if train:
        return np.concatenate([each for _ in range(DRAWS) for each in (follows, elsewhere())])
    # Seconds of the document are its stretches but the first; one of them follows, and one may be
    # the first of the pair itself.
    own = random.integers(0, of_document[document] - 1 - (within > 0))
    low, high = np.minimum(within - 1, within), within
    own += (own >= low) & (within > 0)
    own += own >= high
    near = np.stack([first, begin[document] + 1 + own, np.full(len(first), SAME_DOCUMENT)], axis=1)
    return np.concatenate([follows, elsewhere(), near])
