"""Pairs of texts: what follows what, from which document, split by documents; names and phrases."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data
from dlcourse.data.documents import documents
from dlcourse.data.pairs import (
    ELSEWHERE,
    FOLLOWS,
    HELD_OUT,
    SAME_DOCUMENT,
    pairs,
    split_documents,
)
from dlcourse.data.tokenizer import FILE, Tokenizer
from dlcourse.data.units import names, starts, words
from dlcourse.errors import UsageError, UserError
from tests.data.test_text import prepared

LENGTH = 15  # stretches of at most 6 tokens
CURSE = "There is no curse in Elvish, Entish, or the tongues of Men for this treachery."


def made_up(count, random):
    """Documents whose every word says document and place: `d3w17`; sentences of 1 to 9 words."""
    found = []
    for number in range(count):
        places = (f"d{number}w{place}" for place in itertools.count())
        sizes = random.integers(1, 10, random.integers(4, 12))
        found.append([" ".join(itertools.islice(places, int(size))) for size in sizes])
    return found


@pytest.fixture(scope="module")
def whole():
    """A set, and of each of its tokens the document and the place."""
    splits = split_documents(made_up(80, np.random.default_rng(0)))
    said = {word for part in splits.values() for d in part for s in d for word in s.split()}
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    library = pytest.importorskip("tokenizers")
    numbers = {token: n for n, token in enumerate([*special, *sorted(said)])}
    inner = library.Tokenizer(library.models.WordLevel(numbers, unk_token="[UNK]"))
    inner.pre_tokenizer = library.pre_tokenizers.WhitespaceSplit()
    found = pairs("made up", splits, Tokenizer(inner.to_str()), length=LENGTH)
    origin = np.array(
        [[-1, -1]] * 5 + [list(map(int, word[1:].split("w"))) for word in sorted(said)]
    )
    return found, origin


def taken_apart(found, origin, split):
    """Of each example: kind, tokens of the first and the second stretch as documents and places."""
    batch = found.read(found.splits[split])
    first, second = (
        [origin[row[mask]] for row, mask in zip(batch["tokens"], masks, strict=True)]
        for masks in ((batch["units"] > 0) & (batch["segments"] == segment) for segment in (0, 1))
    )
    return batch, first, second


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_second_stretch_is_what_its_kind_says(whole, split):
    """Where it follows, it begins where the first ended; else it is of another document."""
    found, origin = whole
    batch, firsts, seconds = taken_apart(found, origin, split)
    for kind, first, second in zip(batch["kind"], firsts, seconds, strict=True):
        for stretch in (first, second):
            assert 1 <= len(stretch) <= 6
            assert (stretch[:, 0] == stretch[0, 0]).all()
            np.testing.assert_array_equal(np.diff(stretch[:, 1]), 1)
        same, goes_on = first[0, 0] == second[0, 0], second[0, 1] == first[-1, 1] + 1
        if kind == FOLLOWS:
            assert same
            assert goes_on
        elif kind == ELSEWHERE:
            assert not same
        else:
            assert same
            assert not goes_on
            assert second[0, 1] != first[0, 1]


def test_kinds_are_balanced(whole):
    found, _ = whole
    for split, numbers in found.splits.items():
        counts = np.bincount(found.read(numbers)["kind"], minlength=3)
        assert counts[FOLLOWS] == counts[ELSEWHERE] > 0
        assert counts[SAME_DOCUMENT] == (0 if split == "train" else counts[FOLLOWS])


def test_lengths_and_places_do_not_give_the_kind_away(whole):
    """Firsts are the same ones; seconds are drawn from those of the pairs that follow."""
    found, origin = whole
    batch, first, second = taken_apart(found, origin, "train")
    kinds = batch["kind"]
    measured = {
        "length of the first": np.array([len(each) for each in first]),
        "length of the second": np.array([len(each) for each in second]),
        "place of the second": np.array([each[0, 1] for each in second]),
    }
    for values in measured.values():
        a, b = values[kinds == FOLLOWS], values[kinds == ELSEWHERE]
        assert abs(a.mean() - b.mean()) < 3 * np.sqrt((a.var() + b.var()) / len(a))
    np.testing.assert_array_equal(
        np.bincount(measured["length of the first"][kinds == FOLLOWS]),
        np.bincount(measured["length of the first"][kinds == ELSEWHERE]),
    )


def test_documents_are_split_and_not_pairs(whole):
    found, origin = whole
    seen = {}
    for split in found.splits:
        _, first, second = taken_apart(found, origin, split)
        seen[split] = {int(each[0, 0]) for each in (*first, *second)}
    for a, b in itertools.combinations(seen.values(), 2):
        assert not a & b
    assert split_documents([["a"]] * 40_000)["test"] == [["a"]] * HELD_OUT


def test_an_example_has_special_tokens_and_segments(whole):
    found, _ = whole
    batch = found.read(found.splits["test"][:50])
    for tokens, segments, units in zip(
        batch["tokens"], batch["segments"], batch["units"], strict=True
    ):
        first, last = np.flatnonzero(tokens == 3)
        assert tokens[0] == 2
        assert (tokens[last + 1 :] == 0).all()
        np.testing.assert_array_equal(
            segments, (np.arange(LENGTH) > first) & (np.arange(LENGTH) <= last)
        )
        np.testing.assert_array_equal(units > 0, tokens > 4)
        np.testing.assert_array_equal(units[units > 0], np.arange(1, (units > 0).sum() + 1))


def test_pairs_are_gathered_on_the_device_like_on_the_host(whole):
    found, _ = whole
    index = np.array([[0, 9, 22], [29, 31, 43]], np.int32)  # with an axis of seeds
    expected = found.read(index)
    gathered = jax.jit(found.gather)(jax.tree.map(jnp.asarray, dict(found.examples)), index)
    for name, array in gathered.items():
        assert array.dtype == np.int32
        np.testing.assert_array_equal(array, expected[name])


def test_names_are_words_that_are_never_in_lower_case():
    text = ["The king saw Edward.\nEdward was at York, I say", "A King at HOME; the rose Rose"]
    assert names(text) == {"Edward", "York"}


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("entity", CURSE.replace(" ", "|").replace(",", "|,").replace(".", "|.")),
        ("phrase", "There is no curse|in Elvish|,|Entish|,|or the tongues|of Men|"
         "for this treachery|."),
    ],
)  # fmt: skip
def test_units_of_the_decks_sentence(level, expected):
    said = words(CURSE)
    begins = list(starts(said, level, frozenset({"Elvish", "Entish", "Men"})))
    units: list[list[str]] = []
    for word, begin in zip(said, begins, strict=True):
        units += [[word]] if begin else []
        units[-1] += [] if begin else [word]
    assert "|".join(map(" ".join, units)) == expected


def test_a_run_of_names_is_one_entity():
    said = words("we saw King Edward Plantagenet there")
    known = frozenset({"King", "Edward", "Plantagenet"})
    assert list(starts(said, "entity", known)) == [True, True, True, False, False, True]


@pytest.fixture(scope="module")
def plays():
    return data.sentence_pairs("shakespeare", length=64, vocabulary=300, level="entity")


def test_the_pieces_of_a_word_are_one_unit(plays):
    batch = plays.read(plays.splits["test"][:20])
    tokens = np.array(plays.tokenizer.tokens)[batch["tokens"]]
    inside = np.char.startswith(tokens, "##")
    same = batch["units"][:, 1:] == batch["units"][:, :-1]
    # Units of more than 8 tokens are cut.
    assert (same | ~inside[:, 1:]).mean() > 0.99
    assert max(np.bincount(row[row > 0]).max() for row in batch["units"]) <= plays.masking.longest
    assert plays.masking.longest == 8


def test_a_run_has_its_tokenizer_and_its_text(tmp_path):
    place, folder = tmp_path / "own.txt", tmp_path / "run"
    folder.mkdir()
    lines = [
        f"word{n} is here. And this is word{n * n}! Who says more of word{n}? All say it. So be it."
        for n in range(400)
    ]
    place.write_text("\n\n".join(lines))
    options = {"length": 32, "vocabulary": 200}
    made = data.sentence_pairs(str(place), **options)
    assert set(made.copies) == {FILE, "text.txt"}
    for name, content in made.copies.items():
        (folder / name).write_text(content)
    place.unlink()
    again = data.sentence_pairs(str(place), **options | {"vocabulary": 100}, folder=folder)
    for name, array in again.examples.items():
        np.testing.assert_array_equal(array, made.examples[name])
    streamed = data.sentence_pairs(str(place), **options, folder=folder, stream=True)
    for name, array in streamed.read(np.array([3, 5])).items():
        np.testing.assert_array_equal(array, made.read(np.array([3, 5]))[name])


def test_reviews_are_documents(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    reviews = [f"Film {n}.<br /><br />It was fine! I liked it." for n in range(10)] + ["Short"]
    prepared(tmp_path, {"train": ["No. No."], "unsupervised": reviews})
    found = documents("given").sentences
    assert found[0] == ["Film 0.", "It was fine!", "I liked it."]
    assert len(found) == 10


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "has 0 documents; pretraining needs at least 10"), (b"gr\xfc", "is not UTF-8")],
)
def test_texts_of_no_use_are_refused(content, message, tmp_path):
    place = tmp_path / "own.txt"
    place.write_bytes(content)
    with pytest.raises(UserError, match=message):
        data.sentence_pairs(str(place), length=32, vocabulary=100)


def test_lengths_and_documents_that_leave_no_pair_are_refused(whole):
    found, _ = whole
    with pytest.raises(UserError, match="need at least 5 tokens; length is 4"):
        pairs("none", {}, found.tokenizer, length=4)
    single = {split: [["d0w0"]] for split in ("train", "validation", "test")}
    with pytest.raises(UserError, match="The train split of 'none' has no pairs"):
        pairs("none", single, found.tokenizer, length=9)
    with pytest.raises(UsageError, match=r"none\.txt cannot be read"):
        data.sentence_pairs("none.txt", length=32, vocabulary=100)
