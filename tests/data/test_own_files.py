"""Folders of image files, files of arrays and arrays of one's own."""

import numpy as np
import pytest
from PIL import Image

from dlcourse import data
from dlcourse.data import own_files
from dlcourse.data.arrays import from_npz, scale
from dlcourse.errors import Unreadable, UsageError, UserError

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(own_files, "cache_folder", lambda: tmp_path / "cache")


def pixels(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def folder(place, counts, mode="RGB", size=(6, 5), parts=("",)):
    """Classes of PNG files, whose pixels tell their number."""
    for part in parts:
        for name, count in counts.items():
            (place / part / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                channels = () if mode == "L" else (len(mode),)
                array = pixels(number + 100 * len(name), size[1], size[0], *channels)
                Image.fromarray(array).save(place / part / name / f"{number:02}.png")
    return str(place)


@pytest.mark.parametrize("stream", [False, True])
def test_a_folder_with_a_folder_for_each_class(tmp_path, stream):
    place = folder(tmp_path / "photos", {"cat": 9, "horse": 15})
    (tmp_path / "photos" / "cat" / ".hidden").write_text("")
    images = data.images(place, stream=stream)
    assert images.classes == ("cat", "horse")
    assert {split: len(own) for split, own in images.splits.items()} == {
        "train": 19, "validation": 1, "test": 4,
    }  # fmt: skip
    assert sorted(np.concatenate([*images.splits.values()])) == [*range(24)]
    batch = images.prepare(images.read(np.array([0, 8, 9, 23])))
    np.testing.assert_array_equal(batch["label"], [0, 0, 1, 1])
    for image, number, letters in zip(batch["image"], (0, 8, 0, 14), (3, 3, 5, 5), strict=True):
        np.testing.assert_allclose(255 * image, pixels(number + 100 * letters, 5, 6, 3), atol=1e-4)
    np.testing.assert_array_equal(
        np.sort(images.labels("test")), images.labels("test")[[*range(4)]]
    )


def test_splits_of_ones_own_and_grey_files(tmp_path):
    place = folder(tmp_path / "own", {"a": 3, "b": 4}, "L", parts=("train", "test"))
    images = data.images(place)
    assert {split: len(own) for split, own in images.splits.items()} == {
        "train": 6, "validation": 1, "test": 7,
    }  # fmt: skip
    assert images.read(images.splits["test"])["image"].shape == (7, 5, 6, 1)
    assert set(images.splits["test"]) == {*range(7, 14)}


def test_files_of_any_mode_are_read(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "own" / name).mkdir(parents=True)
    red = Image.new("RGB", (4, 4), (255, 0, 51))
    a = tmp_path / "own" / "a"
    red.convert("CMYK").save(a / "cmyk.tif")
    red.convert("P").save(a / "palette.gif")
    Image.new("L", (4, 4), 100).save(a / "grey.bmp")
    Image.fromarray(np.full((4, 4), 100 * 257, np.uint16)).save(a / "sixteen.png")
    red.convert("RGBA").save(tmp_path / "own" / "b" / "alpha.png")
    images = data.images(str(tmp_path / "own"))
    found = images.read(np.arange(5))["image"][:, 1, 2].tolist()
    assert found == [[255, 0, 51], [100] * 3, [255, 0, 51], [100] * 3, [255, 0, 51]]


def test_images_of_different_sizes_are_named_or_resized(tmp_path):
    place = folder(tmp_path / "own", {"a": 2, "b": 2})
    Image.new("RGB", (20, 10), (255, 0, 0)).save(tmp_path / "own" / "b" / "wide.png")
    with pytest.raises(UserError, match=r"00.png has 5x6 pixels, b.wide.png 10x20.*image-size 5"):
        data.images(place)
    images = data.images(place, size=4)
    assert images.read(np.arange(5))["image"].shape == (5, 4, 4, 3)


def test_the_middle_is_cut_out_and_kept_in_place():
    wide = np.zeros((4, 12, 1), np.uint8)
    wide[:, 4:8] = np.arange(4)[:, None] * 60  # the middle: rows of one value
    high = wide.transpose(1, 0, 2)
    np.testing.assert_array_equal(own_files.resized(wide, 4, 4), wide[:, 4:8])
    np.testing.assert_array_equal(own_files.resized(high, 4, 4), high[4:8])
    np.testing.assert_array_equal(own_files.resized(wide, 4, 6), wide[:, 3:9])
    small = own_files.resized(np.full((9, 5, 3), 7, np.uint8), 3, 3)
    assert small.tolist() == [[[7] * 3] * 3] * 3


def test_broken_files_are_named_and_in_no_split(tmp_path, capsys):
    place = folder(tmp_path / "own", {"a": 7, "b": 7})
    (tmp_path / "own" / "a" / "03.png").write_bytes(b"no image")
    whole = (tmp_path / "own" / "b" / "02.png").read_bytes()
    (tmp_path / "own" / "b" / "02.png").write_bytes(whole[: len(whole) // 2])
    images = data.images(place)
    said = capsys.readouterr().err
    assert "in no split: a/03.png: no format that Pillow reads (and 1 more)." in said
    assert set(images.damaged) == {3, 9}
    assert "b/02.png" in images.damaged[9]
    assert not {3, 9} & {*np.concatenate([*images.splits.values()]).tolist()}
    streamed = data.images(place, stream=True)
    with pytest.raises(Unreadable, match=r"a/03\.png: no format that Pillow reads"):
        streamed.read(np.array([3]))


def test_a_changed_folder_is_decoded_again(tmp_path):
    place = folder(tmp_path / "own", {"a": 3, "b": 3})
    before = data.images(place).read(np.arange(6))["image"]
    np.testing.assert_array_equal(data.images(place).read(np.arange(6))["image"], before)
    assert len([*(tmp_path / "cache").glob("own-*")]) == 1
    Image.new("RGB", (6, 5), (1, 2, 3)).save(tmp_path / "own" / "a" / "00.png")
    assert data.images(place).read(np.array([0]))["image"][0, 0, 0].tolist() == [1, 2, 3]


def test_what_is_no_folder_of_images_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"'\./nowhere' is not there"):
        data.images("./nowhere")
    (tmp_path / "photos.zip").write_text("")
    with pytest.raises(UsageError, match="is a file; unpack it"):
        data.images(str(tmp_path / "photos.zip"))
    place = folder(tmp_path / "one", {"a": 3})
    with pytest.raises(UserError, match="needs one folder of images for each"):
        data.images(place)
    (tmp_path / "one" / "b").mkdir()
    assert data.images(place).class_counts("train").tolist() == [1, 0]
    place = folder(tmp_path / "more", {"a": 2, "b": 2}, parts=("train",))
    folder(tmp_path / "more", {"c": 1}, parts=("test",))
    with pytest.raises(UserError, match=r"has the class .c., which the train split .* lacks"):
        data.images(place)
    with pytest.raises(UsageError, match="Only images of a folder are resized"):
        data.images("mnist", size=8)
    # A prepared set of that name goes before a folder in the working directory.
    monkeypatch.setattr(own_files, "folder", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    assert not own_files.is_folder("one")
    assert own_files.is_folder("./one")


def test_arrays():
    x, y = pixels(0, 24, 5, 6), np.arange(24) % 3
    images = data.from_arrays({"image": x, "label": y})
    assert images.classes == ("0", "1", "2")
    assert [len(own) for own in images.splits.values()] == [19, 1, 4]
    batch = images.batch(0, 4, seed=0)
    np.testing.assert_allclose(batch["image"][..., 0], x[batch["index"]] / np.float32(255))
    assert batch["label"].dtype == np.int32
    floats = data.from_arrays({"image": x / 255.0, "label": y}, test={"image": x[:2] * 1.0,
                              "label": y[:2]}, classes="abc")  # fmt: skip
    assert floats.read(floats.splits["test"])["image"].dtype == np.float32
    np.testing.assert_array_equal(floats.read(floats.splits["test"])["image"][..., 0], x[:2])
    with pytest.raises(UserError, match="of the test split of 'own' have the shapes"):
        data.from_arrays({"image": x, "label": y}, test={"image": x[:, 1:], "label": y})
    with pytest.raises(UserError, match="one row for each example"):
        data.from_arrays({"image": x, "label": y[1:]})
    assert "image" not in scale({"index": np.arange(3)})


@pytest.mark.parametrize(
    "names", [("image", "label"), ("x", "y"), ("x_train", "y_train"), ("images", "labels")]
)
def test_files_of_arrays(tmp_path, names):
    x, y = pixels(0, 24, 5, 6, 3), np.arange(24) % 3
    arrays = dict(zip(names, (x, y), strict=True))
    if names[0] == "x_train":
        arrays |= {"x_test": x[:5], "y_test": y[:5]}
    np.savez(tmp_path / "own.npz", **arrays)
    images = data.images(str(tmp_path / "own.npz"))
    np.testing.assert_array_equal(images.read(np.arange(24))["image"], x)
    assert len(images.splits["test"]) == (5 if "x_test" in arrays else 4)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        from_npz(str(tmp_path / "none.npz"))
    np.savez(tmp_path / "objects.npz", image=np.array([{}], object))
    with pytest.raises(UserError, match="no file of plain arrays"):
        from_npz(str(tmp_path / "objects.npz"))
    np.savez(tmp_path / "other.npz", features=np.zeros(3))
    with pytest.raises(UserError, match="holds features; it needs `image` and `label`"):
        from_npz(str(tmp_path / "other.npz"))
