"""Segmentation sets by name, checks of their masks, and metrics of masks."""

import functools
import sys

import numpy as np
import pytest

from dlcourse.data import IGNORE, digit_scenes, segmentation, tfds
from dlcourse.data.segmentation import Labels, Masked, _prepare
from dlcourse.errors import UsageError, UserError


@pytest.fixture(scope="module")
def scenes():
    """`segmentation("digit_scenes")` with one training, 29 validation and 29 test scenes."""
    with pytest.MonkeyPatch.context() as patched:
        for split in ("VALIDATION", "TEST"):
            patched.setattr(sys.modules[digit_scenes.__module__], split, 29)
        small = functools.partial(digit_scenes, train=1)
        patched.setattr(sys.modules[segmentation.__module__], "digit_scenes", small)
        yield segmentation("digit_scenes", seed=3)


def test_labels_start_at_zero_and_unknown_pixels_and_padding_are_ignored():
    labels = Labels(("a", "b"), first=1, ignore=3)
    batch = {
        "image": np.full((1, 3, 5, 3), 255, np.uint8),
        "label": np.array([[[1, 2, 3, 1, 2]] * 3], np.uint8),
    }
    prepared = _prepare(batch, labels, 4)
    assert prepared["image"].shape == (1, 4, 8, 3)
    expected = np.full((4, 8), IGNORE)
    expected[:3, :5] = [0, 1, IGNORE, 0, 1]
    np.testing.assert_array_equal(prepared["label"][0], expected)
    np.testing.assert_array_equal(prepared["image"][0, :3, :5], 1.0)
    np.testing.assert_array_equal(prepared["image"][0, 3:], 0.0)


def test_images_are_resized_and_masks_gain_no_label():
    random = np.random.default_rng(0)
    record = {
        "image": random.integers(0, 256, (23, 31, 3), dtype=np.uint8),
        "segmentation_mask": np.repeat([[[1]], [[3]]], 31, axis=1).repeat([11, 12], 0).astype("u1"),
    }
    example = Masked([record], Labels(("a", "b", "c"), first=1, side=16))[0]
    assert example["image"].shape == (16, 16, 3)
    assert set(np.unique(example["label"])) == {1, 3}


def test_a_streamed_mask_is_checked_when_it_is_read():
    labels = Labels(("a", "b"), first=1, side=16)
    image, mask = np.zeros((20, 30, 3), np.uint8), np.ones((20, 30, 1), np.uint8)
    for wrong, message in (
        (mask[:10], r"\(1, 10, 30\).*\(1, 20, 30, 3\)"),
        (0 * mask, "label 0; labels are 1 to 2"),
        (255 * mask, "label 255; labels are 1 to 2"),
    ):
        with pytest.raises(UserError, match=message):
            Masked([{"image": image, "segmentation_mask": wrong}], labels)[0]
    with pytest.raises(UserError, match=r"\(1, 20, 30\); .*\[batch, height, width, channels\]"):
        Masked([{"image": image[..., 0], "segmentation_mask": mask}], labels)[0]


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        ((4, 6, 3), np.zeros((4, 5, 1)), r"\(3, 4, 5\).*\(3, 4, 6, 3\)"),
        ((4, 6, 3), np.full((4, 6, 1), 255), "label 255; labels are 0 to 10, or 11"),
        ((4, 6), np.zeros((4, 6, 1)), r"\(3, 4, 6\); .*\[batch, height, width, channels\]"),
    ],
)
def test_a_set_that_fits_in_memory_is_checked_before_training(monkeypatch, image, mask, message):
    features = {
        "image": np.zeros((3, *image), np.uint8),
        "segmentation_mask": np.stack([mask.astype(np.uint8)] * 3),
    }
    sizes = {"train": 1, "validation": 1, "test": 1}
    found = tfds.Prepared(features, sizes)
    monkeypatch.setattr(tfds, "load", lambda *names, **options: found)
    with pytest.raises(UserError, match=message):
        segmentation("camvid")


def test_without_a_validation_split_a_twelfth_of_train_is_used():
    splits = tfds.splits({"train": 120, "test": 7})
    assert {name: len(indices) for name, indices in splits.items()} == {
        "train": 110,
        "validation": 10,
        "test": 7,
    }
    assert sorted(np.concatenate([*splits.values()])) == [*range(127)]


def test_an_unknown_set_is_refused():
    with pytest.raises(UsageError, match=r"cityscapes.*digit_scenes, camvid"):
        segmentation("cityscapes")


def test_scenes_by_name_depend_on_the_seed(scenes):
    direct = digit_scenes(3, train=1)
    np.testing.assert_array_equal(scenes.examples["image"], direct.examples["image"])
    assert scenes.num_classes == 11
    assert scenes.classes == direct.classes
