"""Segmentation sets by name, and what is measured of masks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

from dlcourse import analysis, data, learners, losses, metrics, models, optim
from dlcourse.data import IGNORE, segmentation, tfds
from dlcourse.data.segmentation import Labels, Masked, _prepare
from dlcourse.errors import UserError
from dlcourse.learner import Learner


def test_labels_are_counted_from_zero_and_unknown_pixels_and_padding_are_ignored():
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


def test_images_of_any_size_are_brought_to_one_and_masks_gain_no_label():
    random = np.random.default_rng(0)
    record = {
        "image": random.integers(0, 256, (23, 31, 3), dtype=np.uint8),
        "segmentation_mask": np.repeat([[[1]], [[3]]], 31, axis=1).repeat([11, 12], 0).astype("u1"),
    }
    example = Masked([record], Labels(("a", "b", "c"), first=1, side=16))[0]
    assert example["image"].shape == (16, 16, 3)
    assert set(np.unique(example["label"])) == {1, 3}


def test_a_mask_that_is_not_its_images_is_refused_when_it_is_read():
    labels = Labels(("a", "b"), first=1, side=16)
    image, mask = np.zeros((20, 30, 3), np.uint8), np.ones((20, 30, 1), np.uint8)
    for wrong, message in (
        (mask[:10], r"\(1, 10, 30\).*\(1, 20, 30, 3\)"),
        (0 * mask, "label 0; labels are 1 to 2"),
        (255 * mask, "label 255; labels are 1 to 2"),
    ):
        with pytest.raises(UserError, match=message):
            Masked([{"image": image, "segmentation_mask": wrong}], labels)[0]
    with pytest.raises(UserError, match=r"\(1, 20, 30\); \[batch, height, width, channels\]"):
        Masked([{"image": image[..., 0], "segmentation_mask": mask}], labels)[0]


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        ((4, 6, 3), np.zeros((4, 5, 1)), r"\(3, 4, 5\).*\(3, 4, 6, 3\)"),
        ((4, 6, 3), np.full((4, 6, 1), 255), "label 255; labels are 0 to 10, or 11"),
        ((4, 6), np.zeros((4, 6, 1)), r"\(3, 4, 6\); \[batch, height, width, channels\]"),
    ],
)
def test_a_set_that_fits_in_memory_is_checked_before_training(monkeypatch, image, mask, message):
    features = {
        "image": np.zeros((3, *image), np.uint8),
        "segmentation_mask": np.stack([mask.astype(np.uint8)] * 3),
    }
    sizes = {"train": 1, "validation": 1, "test": 1}
    monkeypatch.setattr(tfds, "load", lambda *names, **options: (features, sizes, ()))
    with pytest.raises(UserError, match=message):
        segmentation("camvid")


def test_a_set_without_validation_lends_a_twelfth():
    splits = tfds.splits({"train": 120, "test": 7})
    assert {name: len(indices) for name, indices in splits.items()} == {
        "train": 110,
        "validation": 10,
        "test": 7,
    }
    assert sorted(np.concatenate([*splits.values()])) == [*range(127)]


def test_an_unknown_set_is_named():
    with pytest.raises(UserError, match=r"cityscapes.*digit_scenes, camvid"):
        segmentation("cityscapes")


def test_mask_metrics_merge_over_batches_and_leave_the_ignored_out():
    random = np.random.default_rng(1)
    labels = random.integers(-1, 3, (5, 7, 11))
    logits = random.normal(size=(5, 7, 11, 3)).astype(np.float32)
    measure = analysis.mask_metrics(lambda state, batch: batch["logits"], ("a", "b", "c"), IGNORE)

    def of(rows, mask):
        return measure(
            None, {"logits": logits[rows], "label": jnp.array(labels[rows]), "mask": mask}
        )

    whole = of(np.arange(5), jnp.ones(5))
    parts = of(np.array([0, 1, 2]), jnp.ones(3)), of(np.array([3, 4, 0]), jnp.array([1.0, 1, 0]))
    merged = jax.tree.map(jnp.add, *parts)
    for name, value in whole.items():
        np.testing.assert_allclose(merged[name].value, value.value, rtol=1e-6)
    found, known = logits.argmax(-1), labels != IGNORE
    np.testing.assert_allclose(whole["pixels"].value, (found == labels)[known].mean(), rtol=1e-6)
    for c, name in enumerate("abc"):
        both = ((found == c) & (labels == c)).sum()
        either = (((found == c) & known) | (labels == c)).sum()
        np.testing.assert_allclose(whole[f"class_iou/{name}"].value, both / either, rtol=1e-6)


def test_what_a_run_reports_of_a_net_is_what_scikit_learn_says_of_its_masks():
    """Of a U-Net as it begins: every measure of 200 scenes, in batches with a padded last one."""
    scenes = data.segmentation("digit_scenes")
    model = models.UNet((4, 8), num_classes=scenes.num_classes)
    learner = learners.supervised(model, losses.pixel_cross_entropy, optim.adam(1e-3))
    state = learner.init(jax.random.key(2), scenes.batch(0, 2, seed=0))
    predict = learners.predictor(model)
    measure = jax.jit(analysis.mask_metrics(predict, scenes.classes, IGNORE))
    found = []
    for rows, mask in zip(*scenes.padded("test", 64), strict=True):
        batch = jax.tree.map(jnp.asarray, scenes.prepare(scenes.read(rows)))
        found.append(measure(state, batch | {"mask": mask}))
    merged = jax.tree.map(lambda *parts: np.asarray(sum(parts)), *found)

    _, truth, drawn = analysis.predict_masks(predict, state, scenes, 200)
    flat, known = (truth.ravel(), drawn.ravel()), range(scenes.num_classes)
    per_class = sklearn.metrics.jaccard_score(*flat, labels=known, average=None)
    assert len(set(drawn.flat)) > 3  # a net that draws one class alone proves little
    assert merged["iou"].value == pytest.approx(per_class.mean(), rel=1e-6)
    for name, expected in zip(scenes.classes, per_class, strict=True):
        assert merged[f"class_iou/{name}"].value == pytest.approx(expected, rel=1e-6)
    counts = sklearn.metrics.confusion_matrix(*flat, labels=known)
    assert merged["pixels"].value == pytest.approx(counts.trace() / counts.sum(), rel=1e-6)


def test_measured_adds_to_evaluation_alone():
    plain = Learner(None, None, lambda state, batch: {"loss": metrics.scalar(state)})
    more = learners.measured(plain, lambda state, batch: {"twice": metrics.scalar(2 * state)})
    found = more.evaluate(jnp.float32(3), {})
    assert {name: float(value.value) for name, value in found.items()} == {"loss": 3, "twice": 6}
    assert more.step is plain.step


def test_what_is_shown_of_a_set_is_without_its_padding():
    random = np.random.default_rng(0)
    features = {
        "image": random.integers(0, 256, (3, 13, 21, 3), dtype=np.uint8),
        "label": random.integers(0, 3, (3, 13, 21), dtype=np.uint8),
    }
    prepare = functools.partial(_prepare, labels=Labels(("a", "b"), ignore=2), multiple=16)
    padded = data.Dataset("padded", features, {"test": np.arange(3)}, prepare)
    assert padded.prepare(padded.read(np.arange(3)))["label"].shape == (3, 16, 32)
    shown = analysis.predict_masks(lambda state, batch: batch["image"], None, padded, 3)
    expected = features["label"].astype(int)
    np.testing.assert_allclose(shown[0], features["image"] / 255, rtol=1e-6)
    np.testing.assert_array_equal(shown[1], np.where(expected == 2, IGNORE, expected))
    np.testing.assert_array_equal(shown[2], features["image"].argmax(-1))


def test_the_figure_shows_background_and_ignored_pixels_clear():
    masks = np.array([[[0, 1], [IGNORE, 1]]])
    figure = analysis.draw_masks(np.zeros((1, 2, 2, 3)), {"truth": masks}, ("background", "a"))
    shade = np.asarray(figure.axes[1].images[1].get_array())
    np.testing.assert_array_equal(shade[..., 3] > 0, masks[0] == 1)


def test_scenes_go_by_name():
    assert data.segmentation("digit_scenes", seed=3).num_classes == 11


def test_pixels_are_counted_by_image_and_class():
    scenes = data.segmentation("digit_scenes")
    labels = np.asarray(scenes.prepare(scenes.read(scenes.splits["validation"]))["label"])
    counts = analysis.class_pixels(scenes, "validation")
    expected = [np.bincount(label[label != IGNORE], minlength=11) for label in labels]
    np.testing.assert_array_equal(counts, expected)
