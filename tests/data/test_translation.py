"""Number words against hand-written ones, pairs as tokens, and the Multi30k builder."""

import gzip

import numpy as np
import pytest

from dlcourse import data
from dlcourse.data import multi30k, tfds
from dlcourse.data.number_words import LANGUAGES, english, german
from dlcourse.data.tokenizer import FILE, Tokenizer
from dlcourse.data.translation import END, PADDING, SPECIAL, packed, pairs
from dlcourse.errors import UsageError, UserError

WORDS = {
    0: ("zero", "null"),
    1: ("one", "eins"),
    16: ("sixteen", "sechzehn"),
    17: ("seventeen", "siebzehn"),
    21: ("twenty-one", "einundzwanzig"),
    30: ("thirty", "dreißig"),
    66: ("sixty-six", "sechsundsechzig"),
    77: ("seventy-seven", "siebenundsiebzig"),
    100: ("one hundred", "einhundert"),
    101: ("one hundred and one", "einhunderteins"),
    110: ("one hundred and ten", "einhundertzehn"),
    421: ("four hundred and twenty-one", "vierhunderteinundzwanzig"),
    1000: ("one thousand", "eintausend"),
    1001: ("one thousand and one", "eintausendeins"),
    1100: ("one thousand one hundred", "eintausendeinhundert"),
    2012: ("two thousand and twelve", "zweitausendzwölf"),
    21_000: ("twenty-one thousand", "einundzwanzigtausend"),
    101_000: ("one hundred and one thousand", "einhunderteintausend"),
    100_421: (
        "one hundred thousand four hundred and twenty-one",
        "einhunderttausendvierhunderteinundzwanzig",
    ),
    999_999: (
        "nine hundred and ninety-nine thousand nine hundred and ninety-nine",
        "neunhundertneunundneunzigtausendneunhundertneunundneunzig",
    ),
}
PARTS = {
    "train": [("a b", "x y"), ("b a b a b", "y x"), ("", "x"), ("b", "y y")],
    "validation": [("a", "x")],
    "test": [("b a b a b a", "y x"), ("a a", "x x x x x x x")],
}


@pytest.fixture(scope="module")
def numbers():
    return data.translation("numbers", vocabulary=384, length=18)


def small(length=6):
    tokenizer = Tokenizer.bpe(["a b x y"] * 9, 300, SPECIAL)
    return pairs("own", PARTS, tokenizer, length)


@pytest.mark.parametrize("number", WORDS)
def test_number_words(number):
    assert (english(number), german(number)) == WORDS[number]


@pytest.mark.parametrize("number", [-1, 1_000_000])
def test_a_number_without_words_is_refused(number):
    for say in LANGUAGES.values():
        with pytest.raises(UserError, match="numbers are 0 to 999,999"):
            say(number)


def test_no_two_numbers_have_the_same_words():
    some = [*range(2000), *range(2000, 1_000_000, 997)]
    for say in LANGUAGES.values():
        assert len({say(number) for number in some}) == len(some)


def test_the_splits_share_no_number(numbers):
    said = {split: {numbers.pairs[n][0] for n in own} for split, own in numbers.splits.items()}
    assert [len(own) for own in numbers.splits.values()] == [12_624, 1000, 1000]
    for split, own in said.items():
        assert len(own) == len(numbers.splits[split])
    assert not said["train"] & said["test"]
    assert not said["train"] & said["validation"]
    assert not said["validation"] & said["test"]
    assert numbers.dropped == 0
    assert not any(numbers.cut.values())


def test_tokens_are_those_of_the_texts(numbers):
    batch = numbers.read(numbers.splits["test"][:50])
    for place, side in enumerate(("source", "target")):
        assert batch[side].dtype == np.int32
        texts = [numbers.pairs[n][place] for n in numbers.splits["test"][:50]]
        assert numbers.decode(batch[side]) == texts
        for row in batch[side]:
            (end,) = np.flatnonzero(row == END)
            assert np.all(row[:end] > END)
            assert np.all(row[end + 1 :] == PADDING)


def test_the_other_direction_swaps_the_pairs(numbers):
    back = data.translation("numbers", "de", "en", vocabulary=384, length=18)
    assert back.pairs == [pair[::-1] for pair in numbers.pairs]


def test_long_and_empty_training_pairs_are_left_out_and_others_cut(capsys):
    made = small()
    assert made.dropped == 2
    assert made.cut == {"validation": 0, "test": 2}
    assert "2 of 4 training pairs are left out, 0 validation and 2 test sentences are cut" in (
        capsys.readouterr().err
    )
    kept = [made.pairs[n] for n in made.splits["train"]]
    assert kept == [PARTS["train"][0], PARTS["train"][3]]
    # References are whole.
    assert [made.pairs[n] for n in made.splits["test"]] == PARTS["test"]
    source = made.read(made.splits["test"])["source"]
    assert made.decode(source) == ["b a b", "a a"] or made.decode(source)[1] == "a a"
    assert np.all(source[:, -1] == [END, PADDING])


def test_packed_rows_have_room_and_hold_every_pair_once():
    random = np.random.default_rng(0)
    counts = random.integers(1, 20, (2, 500))
    numbers = random.permutation(500)[:450].tolist()
    rows = packed(counts, numbers, 20)
    assert sorted(number for row in rows for number in row) == sorted(numbers)
    assert all(counts[:, row].sum(axis=1).max() <= 20 for row in rows)
    assert len(rows) < 0.75 * len(numbers)
    # Each went into the first row that had room, and no earlier row has room for a later one.
    assert packed(np.array([[3, 4, 2, 1], [2, 1, 3, 1]]), [0, 1, 2, 3], 5) == [[0, 2], [1, 3]]


def test_packed_training_pairs_are_the_pairs():
    tokenizer = Tokenizer.bpe(["a b x y"] * 9, 300, SPECIAL)
    said = [("a b", "x y"), ("b", "y y"), ("b a", "y x"), ("a", "x")]
    made = pairs("own", PARTS | {"train": said}, tokenizer, 12, pack=True)
    batch = made.read(made.splits["train"])
    for k, side in enumerate(("source", "target")):
        tokens, segments = batch[side], batch[f"{side}_segment"]
        np.testing.assert_array_equal(segments == 0, tokens == PADDING)
        for row, own, number in zip(tokens, segments, made.splits["train"], strict=True):
            each = [row[own == n] for n in range(1, own.max() + 1)]
            assert all(part[-1] == END and np.all(part[:-1] > END) for part in each)
            texts = [made.decode(part[None])[0] for part in each]
            assert texts == made.pairs[number][k].split("\n")
    together = [pair for n in made.splits["train"] for pair in zip(
        *(side.split("\n") for side in made.pairs[n]), strict=True
    )]  # fmt: skip
    assert sorted(together) == sorted(said)
    assert len(made.splits["train"]) < len(said)
    # The other splits have one pair an example.
    assert [made.pairs[n] for n in made.splits["test"]] == PARTS["test"]
    assert made.read(made.splits["test"])["source_segment"].max() == 1


def test_nothing_short_enough_is_refused():
    with pytest.raises(UserError, match="No training pair of 'own' has fewer than 1 tokens"):
        small(1)


def test_sentences_of_ones_own(numbers):
    found = numbers.encode(["four hundred", "one"])["source"]
    assert numbers.decode(found) == ["four hundred", "one"]
    for wrong in ("", "  "):
        with pytest.raises(UserError, match="An empty sentence"):
            numbers.encode(["one", wrong])
    with pytest.raises(UserError, match=r"'one one .*' has \d+ tokens; the model translates at"):
        numbers.encode(["one " * 30])


def test_languages_are_checked(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="no number words in 'fr'; languages are en, de"):
        data.translation("numbers", "en", "fr", vocabulary=300, length=9)
    with pytest.raises(UsageError, match="both 'en'"):
        data.translation("numbers", "en", "en", vocabulary=300, length=9)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(UserError, match=r"python -m dlcourse\.data\.multi30k --archive"):
        data.translation("multi30k", vocabulary=300, length=9)


def test_the_folders_tokenizer_is_used_and_checked(tmp_path, numbers):
    (tmp_path / FILE).write_text(numbers.copies[FILE], encoding="utf-8")
    again = data.translation("numbers", vocabulary=300, length=18, folder=tmp_path)
    assert again.copies == numbers.copies
    np.testing.assert_array_equal(again.examples["source"], numbers.examples["source"])
    other = Tokenizer.characters("abc", ("[PAD]",))
    (tmp_path / FILE).write_text(other.json, encoding="utf-8")
    with pytest.raises(UserError, match="The tokenizer begins with"):
        data.translation("numbers", vocabulary=300, length=18, folder=tmp_path)


SENTENCES = {
    "train": [("A man.", "Ein Mann."), ("Two dogs\u2028run.", "Zwei Hunde."), ("Wow", "Hui")],
    "val": [("A dog.", "Ein Hund.")],
    "test_2016_flickr": [("Two men.", "Zwei Männer."), ("A cat.", "Eine Katze.")],
}


@pytest.fixture
def raw(tmp_path):
    place = tmp_path / "raw"
    place.mkdir()
    for part, texts in SENTENCES.items():
        for side, language in enumerate(("en", "de")):
            lines = "".join(f"{pair[side]}\n" for pair in texts).encode()
            if part == "val":
                (place / f"{part}.{language}.gz").write_bytes(gzip.compress(lines))
            else:
                (place / f"{part}.{language}").write_bytes(lines)
    return place


def test_multi30k_is_prepared_and_read(raw, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    multi30k.prepare(raw)
    made = data.translation("multi30k", "de", "en", vocabulary=300, length=30)
    for split, part in zip(("train", "validation", "test"), SENTENCES, strict=True):
        found = {made.pairs[n] for n in made.splits[split]}
        assert found == {pair[::-1] for pair in SENTENCES[part]}
    assert made.bleu_tokens == "13a"
    with pytest.raises(UsageError, match="no text in 'fr'; its texts are "):
        data.translation("multi30k", "en", "fr", vocabulary=300, length=30)
    place = tfds.find("multi30k")
    assert (place / "features.json").exists()


def test_raw_text_that_does_not_fit_is_refused(raw):
    assert multi30k.languages(raw) == ("en", "de")
    (raw / "train.de").write_text("Nur einer.\n")
    with pytest.raises(UserError, match="do not pair up: 3 in en, 1 in de"):
        list(multi30k.examples(raw, "train", ("en", "de")))
    (raw / "train.de").write_bytes(b"\xff\xfe\n")
    with pytest.raises(UserError, match=r"train\.de cannot be read as text"):
        list(multi30k.examples(raw, "train", ("en", "de")))
    (raw / "train.de").unlink()
    with pytest.raises(UserError, match="lacks the raw text of task 1"):
        multi30k.languages(raw)
