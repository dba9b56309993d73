"""Metrics of segmentation against SciPy, scikit-learn and counts by hand."""

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


@pytest.fixture
def labels() -> jax.Array:
    return jax.random.randint(jax.random.key(1), (BATCH, HEIGHT, WIDTH), 0, CLASSES)


@pytest.fixture
def predictions() -> jax.Array:
    return jax.random.randint(jax.random.key(3), (BATCH, HEIGHT, WIDTH), 0, CLASSES)


boundary_f = jax.jit(metrics.boundary_f, static_argnames=("num_classes", "tolerance", "ignore"))


def blobs(seed: int, shape: tuple[int, ...], classes: int) -> jax.Array:
    """Smooth regions, so that boundaries have a shape."""
    noise = np.random.default_rng(seed).normal(size=(*shape, classes))
    return jnp.argmax(scipy.ndimage.gaussian_filter(noise, (0, 2, 2, 0)), -1).astype(jnp.int32)


# Losses
def test_boundary_distance_is_scipys() -> None:
    masks = blobs(0, (2, 31, 37), 3)
    reach = 9
    edges = boundaries.boundary(masks, jnp.ones(masks.shape, bool))
    squared = boundaries.squared_distance(edges, reach)
    for found, edge in zip(squared, np.asarray(edges), strict=True):
        expected = scipy.ndimage.distance_transform_edt(~edge) ** 2
        near = expected <= reach**2
        assert 0 < near.mean() <= 1
        chex.assert_trees_all_close(found[near], jnp.asarray(expected[near]), atol=1e-3)
        assert jnp.all(found[~near] > reach**2)


def test_boundary_lies_on_both_sides_of_a_border_and_not_on_the_frame() -> None:
    labels = jnp.array([[[0, 0, 1, 1], [0, 0, 1, 1], [IGNORE, 0, 0, 2]]])
    expected = jnp.array([[[0, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]], bool)
    chex.assert_trees_all_equal(boundaries.boundary(labels, labels != IGNORE), expected)


def test_a_mask_of_another_size_is_refused(labels) -> None:
    for measure in (metrics.confusion, metrics.boundary_f):
        bare = getattr(measure, "__wrapped__", measure)  # without the tests' check of annotations
        with pytest.raises(UserError, match="each label needs one prediction"):
            bare(labels[:, :1], labels, CLASSES)


def test_confusion_and_iou_are_scikit_learns(labels, predictions) -> None:
    counts = metrics.confusion(labels, predictions, CLASSES)
    flat = np.ravel(labels), np.ravel(predictions)
    expected = sklearn.metrics.confusion_matrix(*flat, labels=range(CLASSES))
    chex.assert_trees_all_equal(counts[:-1], jnp.asarray(expected))
    assert not jnp.any(counts[-1])
    per_class = sklearn.metrics.jaccard_score(*flat, average=None)
    found = metrics.iou(counts)
    chex.assert_trees_all_close(found.total / found.weight, jnp.asarray(per_class), rtol=1e-6)
    assert found.value == pytest.approx(per_class.mean())
    named = found.per_class([f"iou/{c}" for c in range(CLASSES)])
    chex.assert_trees_all_close(named["iou/3"].value, jnp.float32(per_class[3]), rtol=1e-6)


def test_mean_iou_does_not_depend_on_how_the_set_is_cut(labels, predictions) -> None:
    """Exactly the same counts from one batch, from single images, and from padded batches."""
    whole = metrics.iou(metrics.confusion(labels, predictions, CLASSES))
    single = [
        metrics.iou(metrics.confusion(labels[i : i + 1], predictions[i : i + 1], CLASSES))
        for i in range(BATCH)
    ]
    merged = jax.tree.map(lambda *counts: sum(counts), *single)
    chex.assert_trees_all_equal(merged, whole)
    assert merged.value == whole.value

    padded = jnp.concatenate([labels, labels]), jnp.concatenate([predictions, predictions])
    mask = jnp.array([1.0] * BATCH + [0.0] * BATCH)
    chex.assert_trees_all_equal(metrics.iou(metrics.confusion(*padded, CLASSES, mask=mask)), whole)

    # The trap: the mean of the batches' own values is another number.
    assert abs(np.mean([each.value for each in single]) - whole.value) > 1e-3


def test_counts_beyond_what_float32_can_hold_stay_exact() -> None:
    one = metrics.ClassMean(jnp.array([1]), jnp.array([1]))
    many = metrics.ClassMean(jnp.array([2**24]), jnp.array([2**25]))
    assert jax.tree.map(jnp.add, many, one).total == 2**24 + 1


def test_classes_that_occur_nowhere_are_left_out_of_the_mean() -> None:
    labels = jnp.array([[[0, 0, 1, 1]]])
    right = metrics.iou(metrics.confusion(labels, labels, 4))
    assert right.value == 1
    assert jnp.isnan(right.per_class("abcd")["c"].value)
    # Predicted though absent: it occurs, and its IoU is 0. Class 0 has 1/2, class 1 has 1.
    wrong = metrics.iou(metrics.confusion(labels, jnp.array([[[0, 2, 1, 1]]]), 4))
    assert wrong.value == (0.5 + 1 + 0) / 3


def test_ignored_pixels_count_nowhere(labels, predictions) -> None:
    ignored = labels.at[:, 2].set(IGNORE)
    keep = np.array([i != 2 for i in range(HEIGHT)])
    chex.assert_trees_all_equal(
        metrics.confusion(ignored, predictions, CLASSES, ignore=IGNORE),
        metrics.confusion(labels[:, keep], predictions[:, keep], CLASSES),
    )


def test_a_mask_of_0_and_255_cannot_pass_for_a_good_one() -> None:
    """Its foreground is counted as a mistake and not left out, which would give IoU 1."""
    labels = jnp.array([[[0, 0, 255, 255]]])
    found = metrics.iou(metrics.confusion(labels, jnp.array([[[0, 0, 1, 1]]]), 2))
    assert found.value == 0.5


def test_members_side_by_side_have_a_value_each(labels, predictions) -> None:
    both = jnp.stack([predictions, labels])
    values = jax.vmap(lambda p: metrics.iou(metrics.confusion(labels, p, CLASSES)))(both)
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
    predictions = jnp.where(jnp.arange(29) < 20, labels, predictions)
    found = boundary_f(labels, predictions, 4, tolerance=tolerance)
    expected = [
        boundary_f_by_hand(np.asarray(a), np.asarray(b), 4, tolerance)
        for a, b in zip(labels, predictions, strict=True)
    ]
    chex.assert_trees_all_close(found, jnp.array(expected), rtol=1e-5)


def test_boundary_f_forgives_as_many_pixels_as_the_tolerance() -> None:
    def bar(left: int) -> jax.Array:
        return jnp.zeros((1, 9, 20), jnp.int32).at[:, :, left:].set(1)

    def score(shift: int) -> float:
        return float(boundary_f(bar(8), bar(8 + shift), 2, tolerance=2.0)[0])

    assert [score(shift) for shift in range(5)] == [1, 1, 1, 0, 0]


def test_boundary_f_where_there_is_no_boundary() -> None:
    plain = jnp.zeros((1, 5, 5), jnp.int32)
    split = plain.at[:, :2].set(1)
    assert boundary_f(plain, plain, 2) == 1
    assert boundary_f(plain, split, 2) == 0
    assert boundary_f(split, plain, 2) == 0
    unknown = split.at[:, :2].set(IGNORE)
    assert boundary_f(unknown, split, 2, ignore=IGNORE) == 1


# Data
