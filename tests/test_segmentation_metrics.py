"""Metrics of segmentation against SciPy, scikit-learn and counts by hand."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import sklearn.metrics

from dlcourse import boundaries, metrics
from dlcourse.errors import UserError

BATCH, HEIGHT, WIDTH, CLASSES = 3, 7, 11, 5
IGNORE = 255


LABELS, PREDICTIONS = (
    np.random.default_rng(1).integers(CLASSES, size=(2, BATCH, HEIGHT, WIDTH)).astype(np.int32)
)

# Compiled as one program: operation by operation each would be compiled for itself.
confusion = jax.jit(metrics.confusion, static_argnames=("num_classes", "ignore"))
boundary_f = jax.jit(metrics.boundary_f, static_argnames=("num_classes", "tolerance", "ignore"))


@functools.partial(jax.jit, static_argnames="num_classes")
def iou(labels, predictions, num_classes, mask=None) -> metrics.ClassMean:
    return metrics.iou(metrics.confusion(labels, predictions, num_classes, mask=mask))


def blobs(seed: int, shape: tuple[int, ...], classes: int) -> np.ndarray:
    """Smooth regions, so that boundaries have a shape."""
    noise = np.random.default_rng(seed).normal(size=(*shape, classes))
    return np.argmax(scipy.ndimage.gaussian_filter(noise, (0, 2, 2, 0)), -1).astype(np.int32)


# Losses
def test_boundary_distance_is_scipys() -> None:
    masks = blobs(0, (2, 31, 37), 3)
    reach = 9

    @jax.jit
    def edges_and_distances(masks) -> tuple:
        edges = boundaries.boundary(masks, jnp.ones(masks.shape, bool))
        return edges, boundaries.squared_distance(edges, reach)

    for edge, found in zip(*map(np.asarray, edges_and_distances(masks)), strict=True):
        expected = scipy.ndimage.distance_transform_edt(~edge) ** 2
        near = expected <= reach**2
        assert 0 < near.mean() <= 1
        np.testing.assert_allclose(found[near], expected[near], atol=1e-3)
        assert np.all(found[~near] > reach**2)


def test_boundary_lies_on_both_sides_of_a_border_and_not_on_the_frame() -> None:
    labels = np.array([[[0, 0, 1, 1], [0, 0, 1, 1], [IGNORE, 0, 0, 2]]], np.int32)
    expected = np.array([[[0, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]], bool)
    found = jax.jit(boundaries.boundary)(labels, labels != IGNORE)
    chex.assert_trees_all_equal(found, expected)


def test_a_mask_of_another_size_is_refused() -> None:
    labels, row = jnp.asarray(LABELS), jnp.asarray(LABELS[:, :1])
    for measure in (metrics.confusion, metrics.boundary_f):
        bare = getattr(measure, "__wrapped__", measure)  # without the tests' check of annotations
        with pytest.raises(UserError, match="each label needs one prediction"):
            bare(row, labels, CLASSES)


def test_confusion_and_iou_are_scikit_learns() -> None:
    counts = np.asarray(confusion(LABELS, PREDICTIONS, CLASSES))
    flat = np.ravel(LABELS), np.ravel(PREDICTIONS)
    expected = sklearn.metrics.confusion_matrix(*flat, labels=range(CLASSES))
    np.testing.assert_array_equal(counts[:-1], expected)
    assert not np.any(counts[-1])
    per_class = sklearn.metrics.jaccard_score(*flat, average=None)
    found = iou(LABELS, PREDICTIONS, CLASSES)
    ratios = np.divide(*map(np.asarray, found))
    np.testing.assert_allclose(ratios, per_class, rtol=1e-6)
    assert found.value == pytest.approx(per_class.mean())
    named = jax.device_get(found).per_class([f"iou/{c}" for c in range(CLASSES)])
    np.testing.assert_allclose(named["iou/3"].value, per_class[3], rtol=1e-6)


def test_mean_iou_does_not_depend_on_how_the_set_is_cut() -> None:
    """Exactly the same counts from one batch, from single images, and from padded batches."""
    whole = iou(LABELS, PREDICTIONS, CLASSES)
    single = [iou(LABELS[i : i + 1], PREDICTIONS[i : i + 1], CLASSES) for i in range(BATCH)]
    merged = jax.tree.map(lambda *counts: sum(map(np.asarray, counts)), *single)
    chex.assert_trees_all_equal(merged, whole)
    assert merged.value == whole.value

    padded = np.concatenate([LABELS, LABELS]), np.concatenate([PREDICTIONS, PREDICTIONS])
    mask = np.float32([1.0] * BATCH + [0.0] * BATCH)
    chex.assert_trees_all_equal(iou(*padded, CLASSES, mask=mask), whole)

    # The trap: the mean of the batches' own values is another number.
    assert abs(np.mean([each.value for each in single]) - whole.value) > 1e-3


def test_counts_beyond_what_float32_can_hold_stay_exact() -> None:
    """One pixel more on 2^24, of a class whose union is twice that."""
    of = jax.jit(metrics.iou)
    many, one = np.zeros((2, 3, 2), np.int32)
    many[:2, 0] = 2**24
    one[0, 0] = 1
    merged = jax.tree.map(jnp.add, of(many), of(one))
    assert merged.total.tolist() == [2**24 + 1, 0]
    assert merged.weight.tolist() == [2**25 + 1, 2**24]


def test_classes_that_occur_nowhere_are_left_out_of_the_mean() -> None:
    labels = np.array([[[0, 0, 1, 1]]], np.int32)
    right = iou(labels, labels, 4)
    assert right.value == 1
    assert np.isnan(jax.jit(lambda mean: mean.per_class("abcd")["c"].value)(right))
    # Predicted though absent: it occurs, and its IoU is 0. Class 0 has 1/2, class 1 has 1.
    wrong = iou(labels, np.array([[[0, 2, 1, 1]]], np.int32), 4)
    assert wrong.value == (0.5 + 1 + 0) / 3


def test_ignored_pixels_count_nowhere() -> None:
    ignored = LABELS.copy()
    ignored[:, 2] = IGNORE
    keep = np.array([i != 2 for i in range(HEIGHT)])
    chex.assert_trees_all_equal(
        confusion(ignored, PREDICTIONS, CLASSES, ignore=IGNORE),
        confusion(LABELS[:, keep], PREDICTIONS[:, keep], CLASSES),
    )


def test_a_mask_of_0_and_255_cannot_pass_for_a_good_one() -> None:
    """Its foreground is counted as a mistake and not left out, which would give IoU 1."""
    labels = np.array([[[0, 0, 255, 255]]], np.int32)
    assert iou(labels, np.array([[[0, 0, 1, 1]]], np.int32), 2).value == 0.5


def test_members_side_by_side_have_a_value_each() -> None:
    both = np.stack([PREDICTIONS, LABELS])
    values = jax.device_get(jax.jit(jax.vmap(lambda p: iou(LABELS, p, CLASSES)))(both))
    assert values.value.shape == (2,)
    assert values.value[1] == 1
    assert values.per_class("abcde")["a"].value.shape == (2,)


def boundary_f_by_hand(label, prediction, classes: int, tolerance: float) -> float:
    scores = []
    for c in range(classes):
        edges = []
        for mask in (label == c, prediction == c):
            # In the class, and a neighbour within the picture is not.
            inner = scipy.ndimage.binary_erosion(mask, border_value=1)
            edges.append(mask & ~inner)
        if not (edges[0].any() or edges[1].any()):
            continue
        if not (edges[0].any() and edges[1].any()):
            scores.append(0.0)
            continue
        to_true, to_drawn = (scipy.ndimage.distance_transform_edt(~edge) for edge in edges)
        precision = (to_true[edges[1]] <= tolerance).mean()
        recall = (to_drawn[edges[0]] <= tolerance).mean()
        total = precision + recall
        scores.append(2 * precision * recall / total if total else 0.0)
    return float(np.mean(scores)) if scores else 1.0


@pytest.mark.parametrize("tolerance", [0.0, 1.0, 1.5, 3.0])
def test_boundary_f_is_the_one_done_by_hand_with_scipy(tolerance) -> None:
    labels, predictions = blobs(1, (4, 23, 29), 4), blobs(2, (4, 23, 29), 4)
    predictions = np.where(np.arange(29) < 20, labels, predictions)
    found = boundary_f(labels, predictions, 4, tolerance=tolerance)
    expected = [
        boundary_f_by_hand(a, b, 4, tolerance) for a, b in zip(labels, predictions, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def bar(left: int, right: int = 20) -> np.ndarray:
    """One image of class 0 with class 1 in some of its columns."""
    image = np.zeros((1, 9, 20), np.int32)
    image[:, :, left:right] = 1
    return image


def test_boundary_f_forgives_as_many_pixels_as_the_tolerance() -> None:
    def score(shift: int) -> float:
        return boundary_f(bar(8), bar(8 + shift), 2, tolerance=2.0).item()

    assert [score(shift) for shift in range(5)] == [1, 1, 1, 0, 0]


def test_boundary_f_where_there_is_no_boundary() -> None:
    plain, split = bar(20), bar(0, 2)
    assert boundary_f(plain, plain, 2, tolerance=2.0).item() == 1
    assert boundary_f(plain, split, 2, tolerance=2.0).item() == 0
    assert boundary_f(split, plain, 2, tolerance=2.0).item() == 0
    unknown = np.where(split == 1, IGNORE, split)
    assert boundary_f(unknown, split, 2, ignore=IGNORE).item() == 1


# Data
