"""Metrics of masks against scikit-learn's, and the pixels of each class."""

import dataclasses

import jax
import numpy as np
import pytest
import sklearn.metrics

from dlcourse import analysis, data, learners, losses, models, optim
from dlcourse.data import IGNORE
from dlcourse.learner import Rule


def given(state, batch, key):
    """The logits are those of the batch."""
    return batch["logits"]


def test_mask_metrics_merge_over_batches_and_leave_the_ignored_out():
    random = np.random.default_rng(1)
    labels = random.integers(-1, 3, (5, 7, 11))
    logits = random.normal(size=(5, 7, 11, 3)).astype(np.float32)
    measure = jax.jit(analysis.mask_metrics(given, ("a", "b", "c"), IGNORE))

    def of(rows, mask):
        batch = {"logits": logits[rows], "label": labels[rows], "mask": np.float32(mask)}
        return jax.device_get(measure(None, batch))

    whole = of(np.arange(5), np.ones(5))
    parts = of(np.array([0, 1, 2]), np.ones(3)), of(np.array([3, 4, 0]), [1, 1, 0])
    merged = jax.tree.map(np.add, *parts)
    for name, value in whole.items():
        np.testing.assert_allclose(merged[name].value, value.value, rtol=1e-6)
    found, known = logits.argmax(-1), labels != IGNORE
    np.testing.assert_allclose(whole["pixels"].value, (found == labels)[known].mean(), rtol=1e-6)
    for c, name in enumerate("abc"):
        both = ((found == c) & (labels == c)).sum()
        either = (((found == c) & known) | (labels == c)).sum()
        np.testing.assert_allclose(whole[f"class_iou/{name}"].value, both / either, rtol=1e-6)


@pytest.fixture(scope="module")
def scenes() -> data.Dataset:
    """67 test scenes, and a training split of one batch."""
    every = data.digit_scenes(0, train=2)
    splits = {"train": every.splits["train"], "test": every.splits["test"][:67]}
    return dataclasses.replace(every, splits=splits)


def test_the_metrics_of_a_net_are_those_of_its_drawn_masks(scenes):
    """An untrained U-Net: every metric of all scenes, in batches with a padded last one."""
    model = models.UNet((4, 8), num_classes=scenes.num_classes)
    learner = learners.supervised(model, losses.pixel_cross_entropy, Rule(optim.adam(1e-3)))
    state = jax.jit(learner.init)(jax.random.key(2), scenes.batch(0, 2, seed=0))
    measure = jax.jit(analysis.mask_metrics(learner.apply, scenes.classes, IGNORE))
    found = []
    for rows, mask in zip(*scenes.padded("test", 32), strict=True):
        batch = scenes.prepare(scenes.read(rows))
        found.append(jax.device_get(measure(state, batch | {"mask": mask})))
    merged = jax.tree.map(lambda *parts: sum(parts), *found)

    _, truth, drawn = analysis.predict_masks(learner.apply, state, scenes, 67)
    flat, known = (truth.ravel(), drawn.ravel()), range(scenes.num_classes)
    per_class = sklearn.metrics.jaccard_score(*flat, labels=known, average=None)
    assert len(set(drawn.flat)) > 3  # masks of one class alone would prove little
    assert merged["iou"].value == pytest.approx(per_class.mean(), rel=1e-6)
    for name, expected in zip(scenes.classes, per_class, strict=True):
        assert merged[f"class_iou/{name}"].value == pytest.approx(expected, rel=1e-6)
    counts = sklearn.metrics.confusion_matrix(*flat, labels=known)
    assert merged["pixels"].value == pytest.approx(counts.trace() / counts.sum(), rel=1e-6)


def test_pixels_are_counted_by_image_and_class(scenes):
    labels = np.asarray(scenes.prepare(scenes.read(scenes.splits["test"]))["label"])
    counts = analysis.class_pixels(scenes, "test")
    expected = [np.bincount(label[label != IGNORE], minlength=11) for label in labels]
    np.testing.assert_array_equal(counts, expected)
