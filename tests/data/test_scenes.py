"""Digit scenes and masks: what they hold, and what is refused."""

import numpy as np
import pytest
import sklearn.svm

from dlcourse.data import Dataset
from dlcourse.data.masks import check_masks
from dlcourse.data.scenes import digit_scenes
from dlcourse.errors import UserError

IGNORE = 255


@pytest.fixture(scope="module")
def scenes() -> Dataset:
    return digit_scenes(0, train=101)


def test_scenes_are_labelled_digits_on_background(scenes) -> None:
    assert [len(numbers) for numbers in scenes.splits.values()] == [101, 200, 200]
    assert not np.intersect1d(scenes.splits["train"], scenes.splits["test"]).size
    batch = scenes.batch(0, 64, seed=0)
    check_masks(np.asarray(batch["image"]), np.asarray(batch["label"]), scenes.num_classes)
    assert batch["image"].dtype == np.float32
    assert 0 <= batch["image"].min() < 0.2 < 0.8 < batch["image"].max() <= 1
    assert set(np.unique(scenes.examples["label"])) == set(range(11))
    assert 0.6 < np.mean(batch["label"] == 0) < 0.95


def cells(scenes: Dataset, split: str) -> np.ndarray:
    """Each 12x12 cell of each scene's mask, `[scenes * 4, 12, 12]`."""
    masks = scenes.examples["label"][scenes.splits[split]]
    return masks.reshape(-1, 2, 12, 2, 12).swapaxes(2, 3).reshape(-1, 12, 12)


def test_a_cell_of_a_scene_holds_one_digit_and_every_scene_three(scenes) -> None:
    kinds = np.array([len(np.unique(cell[cell > 0])) for cell in cells(scenes, "test")])
    assert set(kinds) == {0, 1}
    np.testing.assert_array_equal(kinds.reshape(-1, 4).sum(1), 3)


def test_the_digits_of_a_scene_can_be_read(scenes) -> None:
    """A classifier that is given the masks knows the digits: no net could learn what is not there.

    Where digits cover each other, or are drawn so thick that they close, it does not.
    """

    def digits(split: str) -> tuple[np.ndarray, np.ndarray]:
        shown = [cell for cell in cells(scenes, split) if cell.any()]
        # To the top left: where in its cell a digit lies is not what is asked.
        rolled = [np.roll(c > 0, -np.argwhere(c).min(0), (0, 1)).ravel() for c in shown]
        return np.array(rolled), np.array([cell.max() for cell in shown])

    reader = sklearn.svm.SVC().fit(*digits("validation"))
    assert reader.score(*digits("test")) > 0.75


def test_fragments_are_inked_as_digits_are(scenes) -> None:
    """What is lightest in the background is as light as a digit: ink alone does not tell."""
    batch = scenes.prepare(scenes.read(scenes.splits["test"]))
    light, masks = np.asarray(batch["image"]).mean(-1), np.asarray(batch["label"])
    quarters = light.reshape(-1, 2, 12, 2, 12).swapaxes(2, 3).reshape(-1, 12, 12)
    empty = ~cells(scenes, "test").any((1, 2))
    assert np.mean(quarters[empty].max((1, 2)) > 0.6) > 0.85
    assert np.median(light[masks > 0]) < np.median(quarters[empty].max((1, 2))) + 0.05


@pytest.mark.parametrize(("size", "digits"), [(32, 3), (24, 5), (24, -1)])
def test_scenes_that_cannot_be_are_refused(size, digits) -> None:
    with pytest.raises(UserError, match=rf"{size} pixels cannot hold {digits} digits"):
        digit_scenes(0, size=size, digits=digits)


def test_scenes_repeat_for_a_seed_and_differ_between_seeds_and_splits(scenes) -> None:
    first = scenes.examples["image"]
    again, other = (digit_scenes(seed, train=101).examples["image"] for seed in (0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.mean(first != other) > 0.5
    assert len(np.unique(first.reshape(len(first), -1), axis=0)) == len(first)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (np.zeros((2, 4, 5), np.int32), r"\(2, 4, 5\).*\(2, 4, 4\)"),
        (np.zeros((2, 4, 4, 1), np.int32), "one label per pixel"),
        (np.zeros((2, 4, 4), np.float32), "float32"),
        (np.full((2, 4, 4), 255), "label 255; labels are 0 to 1.*255"),
        (np.full((2, 4, 4), -1), "label -1; labels are 0 to 1"),
    ],
)
def test_masks_that_do_not_fit_are_refused_in_words(masks, message) -> None:
    with pytest.raises(UserError, match=message):
        check_masks(np.zeros((2, 4, 4, 3)), masks, 2)


def test_masks_that_fit_are_accepted() -> None:
    masks = np.array([[[0, 1], [255, 0]]])
    check_masks(np.zeros((1, 2, 2, 3)), masks, 2, ignore=255)
    with pytest.raises(UserError, match="batch, height, width, channels"):
        check_masks(np.zeros((1, 2, 2)), masks, 2, ignore=255)
