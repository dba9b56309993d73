"""Batches are functions of the step; splits partition a set; examples are checked."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets
from PIL import Image

from dlcourse import data
from dlcourse.data import tfds
from dlcourse.data.images import Rows
from dlcourse.errors import UsageError, UserError


@pytest.fixture(scope="module")
def digits():
    return data.images("digits")


def test_the_bundled_digits(digits):
    assert len(digits.examples["label"]) == 1797
    assert digits.num_classes == 10
    assert digits.shapes["image"] == (8, 8, 1)
    assert digits.examples["image"].min() == 0
    assert digits.examples["image"].max() == 1


def test_splits_partition_the_set(digits):
    together = np.concatenate(list(digits.splits.values()))
    np.testing.assert_array_equal(np.sort(together), np.arange(1797))
    again = data.images("digits")
    for split, indices in digits.splits.items():
        np.testing.assert_array_equal(indices, again.splits[split])


def test_every_epoch_contains_every_example_once(digits):
    """1,200 examples in batches of 7: epochs end inside batches."""
    indices = digits.batch_indices(0, 1200, 7, seed=3).reshape(7, 1200)
    for epoch in indices:
        np.testing.assert_array_equal(np.sort(epoch), digits.splits["train"])
    assert not np.array_equal(indices[0], indices[1])


def test_a_batch_depends_only_on_seed_and_step(digits):
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
def test_the_mask_excludes_the_padding(batch_size, digits):
    indices, mask = digits.padded("test", batch_size)
    assert indices.shape == mask.shape
    assert indices.shape[1] == batch_size
    np.testing.assert_array_equal(indices[mask > 0], digits.splits["test"])


def test_streamed_examples_equal_those_in_memory(digits):
    streamed = data.images("digits", stream=True)
    assert not streamed.in_memory
    for name, array in digits.batch(3, 5, seed=0).items():
        np.testing.assert_array_equal(streamed.batch(3, 5, seed=0)[name], array)


@pytest.mark.parametrize("stream", [False, True])
def test_no_examples_have_the_shapes_of_all(stream):
    nothing = data.images("digits", stream=stream).read(np.zeros(0, int))
    assert {name: array.shape for name, array in nothing.items()} == {
        "image": (0, 8, 8, 1), "label": (0,), "index": (0,)
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [-1, 2])
def test_labels_out_of_range_are_refused(wrong):
    examples = {"label": np.array([0, 1, wrong, 1])}
    with pytest.raises(UserError, match="its 2 classes are 0 to 1"):
        data.Dataset("tiny", examples, {"train": np.arange(4)}, classes=("a", "b"))


@pytest.mark.parametrize(
    ("examples", "train", "message"),
    [
        ({}, np.arange(4) < 2, r"train split of 'own' is a mask; .*np\.flatnonzero\(mask\)"),
        ({}, np.arange(5), "train split of 'own' has examples 0 to 4; the set has 4"),
        ({}, np.array([-1, 2]), "has examples -1 to 2; the set has 4, numbered from 0"),
        ({}, np.ones(2), r"train split of 'own' is float64 of shape \(2,\)"),
        ({}, np.zeros((2, 1), int), r"is int64 of shape \(2, 1\); it must hold the numbers"),
        ({"image": np.zeros((3, 2))}, np.arange(3), r"image \(3, 2\), label \(4,\)"),
        ({"image": np.zeros(())}, np.arange(3), r"image \(\), label \(4,\)"),
        ({"image": np.array(list("abcd"))}, np.arange(3), "array 'image' of 'own' is <U1"),
        ({"label": np.zeros((4, 1), int)}, np.arange(3), r"of shape \(4, 1\); .* \[examples\]\.$"),
        ({"label": np.eye(2)[[0, 1, 0, 1]]}, np.arange(3), r"np\.argmax\(labels, -1\)"),
        ({"label": np.array([1, 2, 1, 2])}, np.arange(3), "range from 1 to 2; its 2 classes are 0"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_arrays_and_splits_that_cannot_be_meant_are_refused(examples, train, message, stream):
    """JAX would read other examples in their place without a word."""
    arrays = {"image": np.zeros((4, 2)), "label": np.array([0, 1, 1, 0])} | examples
    if stream and examples:
        pytest.skip("examples that are read later are checked then")
    with pytest.raises(UserError, match=message):
        data.Dataset(
            "own", Rows(arrays) if stream else arrays, {"train": train}, classes=("a", "b")
        )


PICTURE = {"image": np.zeros((4, 4, 3), np.uint8), "label": np.int32(1)}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"image": np.zeros((4, 4, 3), np.float32)}, r"float32 of shape \(4, 4, 3\); .*uint8"),
        ({"image": np.zeros((4, 4), np.uint8)}, r"uint8 of shape \(4, 4\); .*height, width"),
        ({"label": np.int32(2)}, "its 2 classes are 0 to 1"),
        ({"label": np.int32(-1)}, "its 2 classes are 0 to 1"),
        ({"label": np.float32(1)}, "labels of 'tiny' are float32"),
        ({"image": np.zeros((4, 5, 3), np.uint8)}, r"differ in size: .4, 4, 3. and .4, 5, 3."),
    ],
)
def test_invalid_images_and_labels_are_refused(wrong, message, stream, monkeypatch):
    sized = "differ" in message
    rows = [PICTURE, PICTURE, PICTURE | wrong] if sized else [PICTURE | wrong] * 3
    if sized and not stream:
        pytest.skip("images of several sizes are always streamed")
    examples = rows if stream else {k: np.stack([row[k] for row in rows]) for k in PICTURE}
    sizes = {"train": 1, "validation": 1, "test": 1}
    found = tfds.Prepared(examples, sizes, ("a", "b"))
    monkeypatch.setattr(tfds, "load", lambda *_, **__: found)
    with pytest.raises(UserError, match=message):
        data.images("tiny", stream=stream).read(np.arange(3))


def test_an_empty_split_is_refused():
    rows = Rows({"image": np.zeros((3, 2)), "label": np.zeros(3, np.int32)})
    with pytest.raises(UserError, match="validation split of 'tiny' is empty"):
        data.Dataset("tiny", rows, {"train": np.arange(3), "validation": np.arange(0)})


@pytest.mark.parametrize(("classes", "words"), [(("cat",), "one class, cat"), ((), "no classes")])
def test_a_classifier_needs_two_classes(classes, words):
    examples = {"image": np.zeros((3, 2)), "label": np.zeros(3, np.int32)}
    lone = data.Dataset("tiny", examples, {"train": np.arange(3)}, classes=classes)
    with pytest.raises(UserError, match=f"'tiny' has {words}.*at least two"):
        lone.num_classes  # noqa: B018


def test_a_set_that_is_not_prepared_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(UsageError, match="tfds build mnist"):
        data.images("mnist")


class Spots(tensorflow_datasets.core.GeneratorBasedBuilder):
    """Noise with a label in its first pixel: 24 training and 7 test examples, PNG as MNIST is."""

    name = "spots"
    VERSION = tensorflow_datasets.core.Version("1.0.0")

    def _info(self):
        features = tensorflow_datasets.features
        image = features.Image(shape=(9, 5, 1))
        label = features.ClassLabel(names=["a", "b", "c"])
        return tensorflow_datasets.core.DatasetInfo(
            builder=self, features=features.FeaturesDict({"image": image, "label": label})
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(24), "test": self._generate_examples(7)}

    def _generate_examples(self, count):
        images = np.random.default_rng(count).integers(0, 256, (count, 9, 5), dtype=np.uint8)
        images[:, 0, 0] = np.arange(count) % 3
        for number, image in enumerate(images):
            yield number, {"image": Image.fromarray(image), "label": number % 3}


def test_a_set_is_decoded_once_and_equals_the_streamed_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(tfds, "cache_folder", lambda: tmp_path / "cache")
    Spots(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    decoded, streamed = data.images("spots"), data.images("spots", stream=True)
    assert decoded.in_memory
    assert not streamed.in_memory
    assert decoded.classes == streamed.classes == ("a", "b", "c")
    assert {split: len(numbers) for split, numbers in decoded.splits.items()} == {
        "train": 22, "validation": 2, "test": 7,
    }  # fmt: skip
    everything = decoded.read(np.arange(31))
    np.testing.assert_array_equal(everything["image"][:, 0, 0, 0], everything["label"])
    for name, array in streamed.read(np.arange(31)).items():
        np.testing.assert_array_equal(array, everything[name])
    for name, array in decoded.batch(11, 8, seed=1).items():
        np.testing.assert_array_equal(array, streamed.batch(11, 8, seed=1)[name])

    monkeypatch.setattr(tfds, "Records", None)  # a second decoding would fail
    again = data.images("spots")
    np.testing.assert_array_equal(again.examples["image"], decoded.examples["image"])
    assert again.classes == decoded.classes


def test_mnist_through_tfds():
    if not (tfds.folder() / "mnist").is_dir():
        pytest.skip(f"MNIST is not prepared in {tfds.folder()} (TFDS_DATA_DIR)")
    mnist = data.images("mnist", stream=True)
    assert {s: len(i) for s, i in mnist.splits.items()} == {
        "train": 55_000,
        "validation": 5_000,
        "test": 10_000,
    }
    assert mnist.num_classes == 10
    assert mnist.shapes["image"] == (28, 28, 1)
    # The first ten test labels in the order of TFDS.
    first = mnist.read(mnist.splits["test"][:10])
    assert first["label"].tolist() == [2, 0, 4, 8, 7, 6, 0, 6, 3, 1]
    assert sorted(np.unique(mnist.batch(3, 200, seed=0)["label"])) == list(range(10))


def test_the_package_is_imported_without_optional_packages():
    """They are imported when a set that needs them is opened."""
    absent = ["grain", "tensorflow_datasets", "array_record", "sklearn", "PIL", "rich"]
    absent += ["platformdirs", "tensorflow", "matplotlib"]
    program = f"import sys; sys.modules.update(dict.fromkeys({absent})); import dlcourse.data as d;"
    program += "d.Dataset('x', {'a': d.gates().examples['AND']}, {'train': range(4)}).shapes"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("modules", "package", "open_set"),
    [
        (["sklearn", "sklearn.datasets"], "scikit-learn", lambda: data.images("digits")),
        (["sklearn", "sklearn.datasets"], "scikit-learn", lambda: data.table("wine")),
        (["sklearn", "sklearn.datasets"], "scikit-learn", lambda: data.photograph("china")),
        (["PIL", "PIL.Image"], "pillow", lambda: data.photograph("china")),
        (["PIL", "PIL.Image"], "pillow", lambda: data.digit_scenes(0)),
        (["tensorflow_datasets"], "tensorflow-datasets", lambda: data.images("spots")),
        (["array_record"], "array-record", lambda: data.images("spots")),
    ],
)
def test_a_missing_package_is_named(modules, package, open_set, tmp_path, monkeypatch):
    place = tmp_path / "spots" / "1.0.0"
    place.mkdir(parents=True)
    (place / "dataset_info.json").write_text("{}")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(tfds, "cache_folder", lambda: tmp_path / "cache")
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=f"'{package}' is not installed.*\n  pip install {package}"):
        open_set()
