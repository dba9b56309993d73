"""Texts: windows of one array, every character of a split counted once, and what is refused."""

import gzip
import importlib.resources

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow_datasets as tfds

from dlcourse import data
from dlcourse.data.tokenizer import UNKNOWN
from dlcourse.data.windows import NO_TOKEN
from dlcourse.errors import UsageError, UserError

PARTS = {"train": "to be, or not to be", "validation": "that is the", "test": "question: why?"}


def made(context, **options):
    return data.cut_text("own", PARTS, context=context, **options)


def test_a_training_window_begins_at_every_place_and_ends_inside_its_split():
    text = made(5)
    assert len(text.splits["train"]) == len(PARTS["train"]) - 5
    batch = text.read(text.splits["train"])
    for number, (tokens, following) in enumerate(zip(batch["tokens"], batch["next"], strict=True)):
        assert text.tokenizer.decode(tokens) == PARTS["train"][number : number + 5]
        assert text.tokenizer.decode(following) == PARTS["train"][number + 1 : number + 6]
    assert batch["tokens"].dtype == batch["next"].dtype == np.int32


@pytest.mark.parametrize("context", [1, 3, 7, 10, 11, 13, 18])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_every_character_of_a_split_but_the_first_is_a_target_once(context, split):
    text = made(context)
    batch = text.read(text.splits[split])
    counted = batch["next"] != NO_TOKEN
    np.testing.assert_array_equal(batch["next"][counted], text.parts[split][1:])
    np.testing.assert_array_equal(batch["tokens"][counted], text.parts[split][:-1])
    # What stands beyond the end comes from the split itself.
    assert np.isin(batch["tokens"], text.parts[split]).all()


def test_windows_are_gathered_on_the_device_like_on_the_host():
    text = made(4)
    index = np.array([[0, 9, 22], [29, 31, 43]], np.int32)  # with an axis of seeds
    expected = text.read(index)
    found = jax.jit(text.gather)(jax.tree.map(jnp.asarray, dict(text.examples)), index)
    for name, array in found.items():
        assert array.dtype == expected[name].dtype
        np.testing.assert_array_equal(array, expected[name])


def test_the_text_is_held_once_and_small():
    text = made(4)
    ((name, array),) = text.examples.items()
    assert (name, array.dtype, array.size) == ("text", np.uint8, sum(map(len, PARTS.values())))


def test_streamed_windows_equal_those_in_memory():
    text, streamed = made(4), made(4, stream=True)
    assert not streamed.in_memory
    for split in text.splits:
        expected, found = (each.read(each.splits[split]) for each in (text, streamed))
        assert expected.keys() == found.keys()
        for name in expected:
            assert found[name].dtype == expected[name].dtype
            np.testing.assert_array_equal(found[name], expected[name])
    assert streamed.shapes == text.shapes


def test_the_bundled_text():
    text = data.text("shakespeare", context=64)
    lengths = {split: len(tokens) for split, tokens in text.parts.items()}
    assert lengths == {"train": 285_323, "validation": 15_851, "test": 15_852}
    assert text.tokenizer.decode(text.parts["train"][:15]) == "First Citizen:\n"
    place = importlib.resources.files("dlcourse.data") / "bundled"
    content = gzip.decompress((place / "shakespeare.txt.gz").read_bytes())
    assert f"{len(content):,} characters" in (place / "README.md").read_text()
    assert "Richard III" in (place / "README.md").read_text()


def test_a_text_of_ones_own_is_cut_at_90_and_95_percent(tmp_path):
    place = tmp_path / "own.txt"
    content = "".join(chr(ord("a") + i % 23) for i in range(1000))
    place.write_text("\ufeff" + content, encoding="utf-8")  # with a byte order mark
    text = data.text(str(place), context=10)
    assert [len(text.parts[split]) for split in ("train", "validation", "test")] == [900, 50, 50]
    together = np.concatenate([*text.parts.values()])
    assert text.tokenizer.decode(together) == content
    assert text.copies == {"text.txt": content, "tokenizer.json": text.tokenizer.json}


def test_a_run_reads_its_own_copy_of_a_text(tmp_path):
    place, folder = tmp_path / "own.txt", tmp_path / "run"
    folder.mkdir()
    place.write_text("abc" * 100)
    before = data.text(str(place), context=10, folder=folder)
    for name, content in before.copies.items():
        (folder / name).write_text(content)
    place.unlink()
    after = data.text(str(place), context=10, folder=folder)
    assert after.tokenizer == before.tokenizer
    np.testing.assert_array_equal(after.examples["text"], before.examples["text"])


def test_byte_pairs_are_those_of_the_train_split_and_kept(tmp_path):
    place, folder = tmp_path / "own.txt", tmp_path / "run"
    folder.mkdir()
    place.write_text("to be, or not to be\n" * 30, encoding="utf-8")
    text = data.text(str(place), context=4, vocabulary=262, folder=folder)
    assert text.tokenizer.size == 262
    for split, start, end in (("train", 0, 540), ("validation", 540, 570), ("test", 570, 600)):
        content = place.read_text()[start:end]
        assert text.tokenizer.decode(text.parts[split]) == content
        assert text.lengths[split] == len(content) > len(text.parts[split])
        assert text.density(split) == (len(text.parts[split]) - 1) / (len(content) - 1)
    # The run's own tokenizer is read again, whatever the option says by then.
    for name, content in text.copies.items():
        (folder / name).write_text(content)
    place.unlink()
    for vocabulary in (262, None):
        again = data.text(str(place), context=4, vocabulary=vocabulary, folder=folder)
        assert again.tokenizer == text.tokenizer
        np.testing.assert_array_equal(again.examples["text"], text.examples["text"])


def test_a_token_of_characters_is_one():
    assert {made(4).density(split) for split in PARTS} == {1.0}


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "The prompt is empty; a model continues at least one token"),
        ("or not", "The prompt has 6 tokens; a context of 6 has room for 5"),
        ("to Z\x00", r"The model knows no '\\x00', 'Z'"),
    ],
)
def test_prompts_of_no_use_are_refused_in_one_line(prompt, message):
    with pytest.raises(UserError, match=message) as raised:
        made(6).encode(prompt)
    assert "\n" not in str(raised.value)
    np.testing.assert_array_equal(
        made(6).encode("or no")["prompt"], made(6).tokenizer.encode("or no")[None]
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"train split of '.*own\.txt' has 0 tokens; a context of 8 needs 9\.$"),
        (b"abcdefgh", "train split of .* has 7 tokens; a context of 8 needs 9"),
        (b"abcdefghij", "validation split of .* has 0 tokens; a context of 8 needs 2"),
        (b"gr\xfc\xdfe" * 20, r"own\.txt is not UTF-8: byte 0xfc at 2\. Convert it, for example: "),
    ],
)
def test_texts_of_no_use_are_refused_in_one_line(content, message, tmp_path):
    place = tmp_path / "own.txt"
    place.write_bytes(content)
    with pytest.raises(UserError, match=message) as raised:
        data.text(str(place), context=8)
    assert "\n" not in str(raised.value)


def test_a_text_that_is_not_there_is_a_wrong_command_line(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"none\.txt cannot be read \(No such file"):
        data.text(str(tmp_path / "none.txt"), context=8)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(UsageError, match="'none' is not prepared"):
        data.text("none", context=8)


def prepared(folder, splits):
    """Prepares the set `given` of texts: from the name of a split to its records."""

    class Given(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
            return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples(texts) for split, texts in splits.items()}

        def _generate_examples(self, texts):
            for number, text in enumerate(texts):
                yield number, {"text": text}

    Given.name = "given"
    Given(data_dir=folder, file_format="array_record").download_and_prepare()


def test_a_prepared_text_keeps_its_splits(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    prepared(tmp_path, {"test": ["tür"], "train": ["to be, ", "or not"], "validation": ["why?"]})
    text = data.text("given", context=4)
    assert text.tokenizer.decode(text.parts["train"]) == "to be, or not"
    assert text.tokenizer.decode(text.parts["test"]) == f"t{UNKNOWN}r"


def test_a_prepared_set_without_a_split_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    prepared(tmp_path, {"train": ["to be"]})
    with pytest.raises(UserError, match="'given' has no validation and test split"):
        data.text("given", context=4)
