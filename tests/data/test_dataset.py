"""Batches are functions of the step, and splits are sets."""

import numpy as np
import pytest

from dlcourse import data
from dlcourse.data import tfds
from dlcourse.data.images import Rows
from dlcourse.errors import UserError


@pytest.fixture(scope="module")
def digits():
    return data.images("digits")


def test_the_bundled_digits(digits):
    assert len(digits.examples["label"]) == 1797
    assert digits.num_classes == 10
    assert digits.shapes["image"] == (8, 8, 1)
    assert digits.examples["image"].min() == 0
    assert digits.examples["image"].max() == 1


def test_splits_share_no_example_and_leave_none_out(digits):
    together = np.concatenate(list(digits.splits.values()))
    np.testing.assert_array_equal(np.sort(together), np.arange(1797))
    again = data.images("digits")
    for split, indices in digits.splits.items():
        np.testing.assert_array_equal(indices, again.splits[split])


def test_every_epoch_shows_every_example_once(digits):
    """1,200 examples in batches of 7: epochs end inside batches."""
    indices = digits.batch_indices(0, 1200, 7, seed=3).reshape(7, 1200)
    for epoch in indices:
        np.testing.assert_array_equal(np.sort(epoch), digits.splits["train"])
    assert not np.array_equal(indices[0], indices[1])


def test_a_batch_depends_on_seed_and_step_alone(digits):
    whole = digits.batch_indices(0, 40, 64, seed=5)
    for step in (0, 17, 39):
        np.testing.assert_array_equal(digits.batch_indices(step, 1, 64, seed=5)[0], whole[step])
    np.testing.assert_array_equal(digits.batch(17, 64, seed=5)["index"], whole[17])
    assert not np.array_equal(digits.batch_indices(0, 40, 64, seed=6), whole)


def test_a_batch_may_be_larger_than_the_set(digits):
    batch = digits.batch_indices(2, 1, 2500, seed=0)[0]
    counts = np.bincount(batch, minlength=1797)[digits.splits["train"]]
    assert counts.sum() == 2500
    assert counts.min() >= 1


@pytest.mark.parametrize("batch_size", [1, 7, 450, 500])
def test_padding_masks_all_but_the_split(batch_size, digits):
    indices, mask = digits.padded("test", batch_size)
    assert indices.shape == mask.shape
    assert indices.shape[1] == batch_size
    np.testing.assert_array_equal(indices[mask > 0], digits.splits["test"])


def test_streamed_examples_are_the_same(digits):
    streamed = data.images("digits", stream=True)
    assert not streamed.in_memory
    for name, array in digits.batch(3, 5, seed=0).items():
        np.testing.assert_array_equal(streamed.batch(3, 5, seed=0)[name], array)


@pytest.mark.parametrize("wrong", [-1, 2])
def test_labels_that_are_no_class_are_refused(wrong):
    examples = {"label": np.array([0, 1, wrong, 1])}
    with pytest.raises(UserError, match="its 2 classes are 0 to 1"):
        data.Dataset("tiny", examples, {"train": np.arange(4)}, classes=("a", "b"))


PICTURE = {"image": np.zeros((4, 4, 3), np.uint8), "label": np.int32(1)}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"image": np.zeros((4, 4, 3), np.float32)}, r"float32 of shape \(4, 4, 3\); uint8"),
        ({"image": np.zeros((4, 4), np.uint8)}, r"uint8 of shape \(4, 4\); .*height, width"),
        ({"label": np.int32(2)}, "its 2 classes are 0 to 1"),
        ({"label": np.int32(-1)}, "its 2 classes are 0 to 1"),
        ({"label": np.float32(1)}, "labels of 'tiny' are float32"),
        ({"image": np.zeros((4, 5, 3), np.uint8)}, r"differ in size: .4, 4, 3. and .4, 5, 3."),
    ],
)
def test_a_set_of_images_that_are_none_is_refused(wrong, message, stream, monkeypatch):
    sized = "differ" in message
    rows = [PICTURE, PICTURE, PICTURE | wrong] if sized else [PICTURE | wrong] * 3
    if sized and not stream:
        pytest.skip("images of several sizes are always streamed")
    examples = rows if stream else {k: np.stack([row[k] for row in rows]) for k in PICTURE}
    sizes = {"train": 1, "validation": 1, "test": 1}
    found = lambda *_, **__: (examples, sizes, ("a", "b"))  # noqa: E731
    monkeypatch.setattr(tfds, "load", found)
    with pytest.raises(UserError, match=message):
        data.images("tiny", stream=stream).read(np.arange(3))


def test_an_empty_split_is_refused():
    rows = Rows({"image": np.zeros((3, 2)), "label": np.zeros(3, np.int32)})
    with pytest.raises(UserError, match="validation split of 'tiny' is empty"):
        data.Dataset("tiny", rows, {"train": np.arange(3), "validation": np.arange(0)})


@pytest.mark.parametrize(("classes", "words"), [(("cat",), "one class, cat"), ((), "no classes")])
def test_a_target_with_nothing_to_tell_apart_is_refused(classes, words):
    examples = {"image": np.zeros((3, 2)), "label": np.zeros(3, np.int32)}
    lone = data.Dataset("tiny", examples, {"train": np.arange(3)}, classes=classes)
    with pytest.raises(UserError, match=f"'tiny' has {words}"):
        lone.num_classes  # noqa: B018


def test_a_set_that_is_not_prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(UserError, match="tfds build mnist"):
        data.images("mnist")


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """A TFDS folder that has MNIST, and an empty cache."""
    if not (tfds.folder() / "mnist").is_dir():
        pytest.skip(f"MNIST is not prepared in {tfds.folder()} (TFDS_DATA_DIR)")
    monkeypatch.setattr(tfds, "cache_folder", lambda: tmp_path)


@pytest.mark.timeout(300)
def test_mnist_through_tfds(prepared, capsys):
    decoded = data.images("mnist")
    streamed = data.images("mnist", stream=True)
    assert {s: len(i) for s, i in decoded.splits.items()} == {
        "train": 55_000,
        "validation": 5_000,
        "test": 10_000,
    }
    for name, array in decoded.batch(11, 8, seed=1).items():
        np.testing.assert_array_equal(array, streamed.batch(11, 8, seed=1)[name])
    # The first ten test labels, as anyone can look them up.
    first = decoded.read(decoded.splits["test"][:10])
    assert first["label"].tolist() == [2, 0, 4, 8, 7, 6, 0, 6, 3, 1]
    assert sorted(np.unique(decoded.examples["label"])) == list(range(10))
