"""Prepared sets: names, splits, labels and images that can mean one thing are read so."""

import dataclasses
import io
import shutil

import numpy as np
import pytest
import tensorflow_datasets
from PIL import Image

from dlcourse import data, learners, losses, models, optim, training
from dlcourse.data import records, tfds
from dlcourse.data.records import check_features
from dlcourse.errors import Unreadable, UsageError, UserError
from dlcourse.training.engine import processes
from dlcourse.training.engine.feed import make_feed
from dlcourse.training.run.start import make_mesh
from tests.data.prepared import grey, png, prepare, rows
from tests.kinds import Config

F = tensorflow_datasets.features


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "sets"))
    monkeypatch.setattr(tfds, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "sets"


def both(name="given"):
    """The set in memory and streamed."""
    return data.images(name), data.images(name, stream=True)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/", "../sets/given", "given/", "a/b/c", "a\\b", "*", "given:1.0.0"]
)
def test_only_names_are_taken_for_names(name, place):
    prepare(place, {"train": rows(12)})
    with pytest.raises(UsageError, match="is not the name of a data set"):
        tfds.find(name)


def test_one_of_several_configs_must_be_named(place):
    for config in ("big", "small"):
        prepare(place, {"train": rows(12)}, name=f"given/{config}")
    with pytest.raises(UsageError, match=r"several configs\. Name one: given/big, given/small"):
        data.images("given")
    assert data.images("given/big").name == "given/big"


def test_an_empty_folder_variable_is_the_default(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "")
    assert tfds.folder().name == "tensorflow_datasets"


def test_missing_splits_are_cut_off_the_train_split(place):
    prepare(place, {"train": rows(72)})
    for found in both():
        assert {split: len(n) for split, n in found.splits.items()} == {
            "train": 55, "validation": 5, "test": 12,
        }  # fmt: skip
        everything = np.sort(np.concatenate([*found.splits.values()]))
        np.testing.assert_array_equal(everything, np.arange(72))
    for split, numbers in data.images("given").splits.items():
        np.testing.assert_array_equal(numbers, found.splits[split])


@pytest.mark.parametrize("own", ["val", "validation"])
def test_a_val_split_is_the_validation_split(own, place):
    prepare(place, {"test": rows(5), "train": rows(12), own: rows(3)})
    for found in both():
        assert {split: len(n) for split, n in found.splits.items()} == {
            "train": 12, "validation": 3, "test": 5,
        }  # fmt: skip
        for numbers in found.splits.values():
            np.testing.assert_array_equal(
                found.read(numbers)["image"][:, 0, 0, 0], np.arange(len(numbers))
            )


def test_a_set_without_train_split_is_refused(place):
    prepare(place, {"test": rows(5), "extra": rows(4)})
    with pytest.raises(UserError, match=r"no train split; it has (test, extra|extra, test)"):
        data.images("given")


def test_a_test_split_without_labels_is_not_used(place, capsys):
    prepare(place, {"train": rows(72), "test": [(grey(200), -1)] * 5})
    for stream in (False, False, True):
        found = data.images("given", stream=stream)
        assert len(found.splits["test"]) == 12
        assert found.read(found.splits["test"])["label"].min() >= 0
        said = "The test split of 'given' has no labels (the first is -1) and is not used"
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("label", [F.Scalar(np.int64), F.Scalar(np.uint8)])
def test_plain_numbers_are_labels(label, place):
    prepare(place, {"train": rows(24, classes=5), "test": rows(6, classes=6)}, label=label)
    for found in both():
        assert found.classes == ("0", "1", "2", "3", "4", "5")
        batch = found.read(np.arange(30))
        assert batch["label"].dtype == np.int32
        np.testing.assert_array_equal(batch["label"][:24], np.arange(24) % 5)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("label", "value", "message"),
    [
        (F.Scalar(np.float32), 1.0, r"are float32 of shape \(\) .* class numbers"),
        (F.Text(), "cat", r"labels of 'given' are object .*\(Text\)"),
        (F.Tensor(shape=(3,), dtype=np.int64), np.eye(3, dtype=int)[0], r"int64 of shape \(3,\)"),
        (F.Sequence(F.ClassLabel(num_classes=3)), [1], "are Sequence"),
        (F.Scalar(np.int64), 70_000, "numbers up to 70000; class numbers are counted from 0"),
    ],
)
def test_labels_that_are_no_class_numbers_are_refused(label, value, message, stream, place):
    prepare(place, {"train": [(grey(1), value)] * 12}, label=label)
    with pytest.raises(UserError, match=message):
        data.images("given", stream=stream)


def test_16_bits_are_scaled_by_their_own_range(place):
    values = np.arange(16, dtype=np.uint16).reshape(4, 4) * 4369
    image = F.Image(shape=(4, 4, 1), dtype=np.uint16)
    prepare(place, {"train": [(png(values), 1)] * 24}, image=image)
    for found in both():
        batch = found.batch(0, 2, seed=0)
        np.testing.assert_allclose(batch["image"][0, ..., 0], values / 65535, rtol=1e-6)


def palette() -> bytes:
    return png_of(Image.fromarray(np.full((4, 4, 3), (9, 8, 7), np.uint8)).quantize(2))


def png_of(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def test_images_of_several_modes_are_those_that_the_set_declares(place):
    rgba = png(np.full((4, 4, 4), (9, 8, 7, 6), np.uint8))
    colour, one = png(np.full((4, 4, 3), (9, 8, 7), np.uint8)), png_of(Image.new("1", (4, 4), 1))
    files = [palette(), rgba, colour, grey(5), one]
    prepare(place, {"train": [(file, 0) for file in files * 5]}, image=F.Image(shape=(4, 4, 3)))
    for found in both():
        pixels = found.read(np.arange(5))["image"][:, 2, 1].tolist()
        assert pixels == [[9, 8, 7], [9, 8, 7], [9, 8, 7], [5, 5, 5], [255, 255, 255]]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (F.Image(shape=(4, 4, 1), dtype=np.float32), "'image' of 'given' is float32"),
        (F.Image(shape=(None, 4, 4, 3)), r"uint8 of shape \(None, 4, 4, 3\); .*\[height, width, "),
        (F.Text(), "'image' of 'given' is Text; it must be an image"),
    ],
)
def test_features_that_are_no_images_are_refused(image, message):
    with pytest.raises(UserError, match=message):
        check_features(tensorflow_datasets, "given", ["image"], {"image": image})


def test_an_image_of_another_size_than_declared_is_named_in_memory(place):
    other = [(png(np.zeros((4, 5), np.uint8)), 1)]
    prepare(place, {"train": rows(11) + other})
    found = data.images("given")
    assert list(found.damaged) == [11]
    assert "shape (4, 5, 1); the set declares (4, 4, 1)" in found.damaged[11]


def test_images_of_several_sizes_are_streamed_and_refused_when_they_are_read(place):
    other = [(png(np.zeros((4, 5), np.uint8)), 1)]
    prepare(place, {"train": rows(15) + other}, image=F.Image(shape=(None, None, 1)))
    found = data.images("given")
    assert not found.in_memory
    assert found.read(np.arange(15))["image"].shape == (15, 4, 4, 1)
    message = r"Example 15 of 'given' .* differ in size: \(4, 4, 1\) and \(4, 5, 1\)"
    with pytest.raises(Unreadable, match=message):
        found.read(np.array([15]))


def test_a_set_of_another_format_says_how_to_prepare_it_again(place):
    prepare(place, {"train": rows(11)})
    info = place / "given" / "1.0.0" / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(UserError, match=r"cannot be opened .*\n.* --file_format=array_record"):
        data.images("given")


DAMAGED = (0, 5, 30)  # 0 is a training example, and 30 a test example


@pytest.fixture
def broken(place):
    test = rows(7, damaged=(6,))
    prepare(place, {"train": rows(24, damaged=(0, 5)), "test": test})


def test_damaged_images_in_memory_are_in_no_split(broken, capsys):
    found = data.images("given")
    assert "3 examples of 'given' cannot be read and are in no split: 0, 5, 30." in (
        capsys.readouterr().err
    )
    assert found.in_memory
    assert tuple(found.damaged) == DAMAGED
    used = np.sort(np.concatenate([*found.splits.values()]))
    np.testing.assert_array_equal(used, np.setdiff1d(np.arange(31), DAMAGED))
    values = found.read(used)["image"][:, 0, 0, 0]
    np.testing.assert_array_equal(values, np.where(used < 24, used, used - 24))
    # The others are in the splits that they are in without damage, and the cache knows it too.
    for again in (data.images("given"), found):
        for split, numbers in data.images("given", stream=True).splits.items():
            np.testing.assert_array_equal(np.setdiff1d(numbers, DAMAGED), again.splits[split])


def test_classes_of_a_stream_are_counted_without_decoding(broken, monkeypatch):
    monkeypatch.setattr(records, "decode", None)
    streamed = data.images("given", stream=True)
    labels = streamed.splits["train"] % 3  # see `rows`
    np.testing.assert_array_equal(streamed.class_counts("train"), np.bincount(labels))
    lost = streamed.splits["train"][3]

    class Lossy:  # one record cannot be read at all
        def __len__(self):
            return 24

        def __getitems__(self, numbers):
            assert lost not in numbers
            return train.__getitems__(numbers)

    found = streamed.examples.records
    train, test = found.parts
    found.parts = [Lossy(), test]
    kept = np.delete(labels, 3)
    np.testing.assert_array_equal(streamed.class_counts("train"), np.bincount(kept))


def test_a_damaged_image_of_a_stream_is_named(broken):
    streamed = data.images("given", stream=True)
    assert streamed.shapes["image"] == (4, 4, 1)  # of the first that can be read
    for number in DAMAGED:
        with pytest.raises(Unreadable, match=f"Example {number} of 'given' cannot be read: "):
            streamed.read(np.array([1, number]))
    with pytest.raises(Unreadable, match=r"\n.*--skip-damaged"):
        streamed.read(np.array([5]))


def test_a_set_without_readable_images_is_refused(place):
    prepare(place, {"train": rows(12, damaged=range(12))})
    with pytest.raises(Unreadable, match="Example 0 of 'given' cannot be read"):
        data.images("given")


def test_a_mended_set_is_decoded_again(broken, place):
    """Although the metadata beside the records is the same."""
    assert data.images("given").damaged
    info = (place / "given" / "1.0.0" / "dataset_info.json").read_text()
    shutil.rmtree(place)
    prepare(place, {"train": rows(24), "test": rows(7)})
    assert (place / "given" / "1.0.0" / "dataset_info.json").read_text() == info
    assert not data.images("given").damaged


def experiment(config: Config) -> training.Experiment:
    images = data.images("given", stream=config.stream)
    rule = config.rule_of(optim.adam(1e-2))
    learner = learners.supervised(models.MLP((3,)), losses.softmax_cross_entropy, rule)
    return training.Experiment(learner, images)


@pytest.mark.parametrize("stream", [False, True])
def test_a_run_names_a_damaged_example_or_leaves_it_out(broken, stream, tmp_path):
    """Not as a disk that is full, although Pillow's error is an OSError."""
    config = Config(workdir=tmp_path / "run", stream=stream, steps=4, batch_size=8)
    with pytest.raises(
        Unreadable, match=r"Example (0|5|30) of 'given' cannot be read.*\n.*--skip-"
    ):
        training.run(experiment, config, name="given", silent=True)
    config = dataclasses.replace(config, workdir=tmp_path / "other", skip_damaged=True)
    done = training.run(experiment, config, name="given", silent=True)
    right = done.summary["metrics"]["test"]["accuracy"] * 6  # of 7 test examples one is damaged
    assert right == pytest.approx(round(right), abs=1e-5)


@pytest.mark.parametrize("others", [True, False])
def test_all_processes_have_a_set_in_memory_or_none(others, place, monkeypatch):
    """Otherwise each would wait for another in a different program."""
    prepare(place, {"train": rows(24)})
    monkeypatch.setattr(processes, "agree", lambda number, stop: (int(others), stop))
    found, mesh = data.images("given", stream=others), make_mesh(Config())
    make_feed(found, 8, [0], True, 1, mesh)  # a process by itself asks nobody
    monkeypatch.setattr(processes, "are_joined_by", lambda mesh: True)
    with pytest.raises(UserError, match="fits on some processes' disks only; use --stream"):
        make_feed(found, 8, [0], True, 1, mesh)
