"""Segmentation: losses and metrics against closed forms, SciPy and the traps known to the field."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import sklearn.metrics
import sklearn.svm

from dlcourse import boundaries, losses, metrics
from dlcourse.data import Dataset
from dlcourse.data.masks import check_masks
from dlcourse.data.scenes import digit_scenes
from dlcourse.errors import UserError

BATCH, HEIGHT, WIDTH, CLASSES = 3, 7, 11, 5
IGNORE = 255


@pytest.fixture
def labels() -> jax.Array:
    return jax.random.randint(jax.random.key(1), (BATCH, HEIGHT, WIDTH), 0, CLASSES)


@pytest.fixture
def logits() -> jax.Array:
    return jax.random.normal(jax.random.key(2), (BATCH, HEIGHT, WIDTH, CLASSES))


@pytest.fixture
def predictions() -> jax.Array:
    return jax.random.randint(jax.random.key(3), (BATCH, HEIGHT, WIDTH), 0, CLASSES)


boundary_f = jax.jit(metrics.boundary_f, static_argnames=("num_classes", "tolerance", "ignore"))


def blobs(seed: int, shape: tuple[int, ...], classes: int) -> jax.Array:
    """Smooth regions, so that boundaries have a shape."""
    noise = np.random.default_rng(seed).normal(size=(*shape, classes))
    return jnp.argmax(scipy.ndimage.gaussian_filter(noise, (0, 2, 2, 0)), -1).astype(jnp.int32)


# Losses


def test_pixel_cross_entropy_is_the_mean_over_the_pixels(logits, labels) -> None:
    expected = jnp.mean(losses.softmax_cross_entropy(logits, labels), axis=(1, 2))
    chex.assert_trees_all_close(losses.pixel_cross_entropy(logits, labels), expected, rtol=1e-6)


def test_ignored_pixels_cost_nothing_and_teach_nothing(logits, labels) -> None:
    """The loss is that of the other pixels alone, and no gradient reaches the ignored ones."""
    ignored = labels.at[:, :, 4:].set(IGNORE)
    for loss in (losses.pixel_cross_entropy, losses.dice):
        alone = loss(logits[:, :, :4], labels[:, :, :4])
        value, gradient = jax.jit(
            jax.value_and_grad(lambda x, loss=loss: loss(x, ignored, ignore=IGNORE).sum())
        )(logits)
        chex.assert_trees_all_close(value, alone.sum(), rtol=1e-5)
        assert not jnp.any(gradient[:, :, 4:])
        assert jnp.all(jnp.any(gradient[:, :, :4] != 0, axis=(1, 2, 3)))


def test_an_image_of_ignored_pixels_alone_costs_nothing(logits) -> None:
    nothing = jnp.full((BATCH, HEIGHT, WIDTH), IGNORE)
    for loss in (losses.pixel_cross_entropy, losses.dice):
        value, gradient = jax.jit(
            jax.value_and_grad(lambda x, loss=loss: loss(x, nothing, ignore=IGNORE).sum())
        )(logits)
        assert value == 0
        assert not jnp.any(gradient)


def test_weights_multiply_the_cost_of_their_pixels(logits, labels) -> None:
    weights = jax.random.uniform(jax.random.key(4), labels.shape)
    expected = jnp.mean(weights * losses.softmax_cross_entropy(logits, labels), axis=(1, 2))
    chex.assert_trees_all_close(
        losses.pixel_cross_entropy(logits, labels, weights), expected, rtol=1e-6
    )


def test_dice_is_the_decks_formula_class_by_class(logits, labels) -> None:
    probabilities = np.asarray(jax.nn.softmax(logits), np.float64)
    expected = []
    for image, mask in zip(probabilities, np.asarray(labels), strict=True):
        fractions = []
        for c in np.unique(mask):
            y, predicted = (mask == c).astype(float), image[..., c]
            fractions.append(2 * (y * predicted).sum() / (y.sum() + predicted.sum()))
        expected.append(1 - np.mean(fractions))
    chex.assert_trees_all_close(losses.dice(logits, labels), jnp.array(expected), rtol=1e-5)


def test_dice_of_the_right_answer_is_0_and_of_a_wrong_one_is_1(labels) -> None:
    sure = 1000 * jax.nn.one_hot(labels, CLASSES)
    chex.assert_trees_all_close(losses.dice(sure, labels), jnp.zeros(BATCH), atol=1e-6)
    wrong = 1000 * jax.nn.one_hot((labels + 1) % CLASSES, CLASSES)
    chex.assert_trees_all_close(losses.dice(wrong, labels), jnp.ones(BATCH), atol=1e-6)


def test_dice_of_classes_that_an_image_does_not_show() -> None:
    """The right answer costs 0 though classes are missing; drawing a missing class costs."""
    labels = jnp.zeros((1, 4, 4), jnp.int32)
    right = 1000 * jax.nn.one_hot(labels, 3)
    chex.assert_trees_all_close(losses.dice(right, labels), jnp.zeros(1), atol=1e-6)
    half = 1000 * jax.nn.one_hot(labels.at[:, :2].set(2), 3)
    # 2 · 8 / (16 + 8) of class 0 is found.
    chex.assert_trees_all_close(losses.dice(half, labels), jnp.array([1 / 3]), atol=1e-6)


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


def test_boundary_weights_peak_on_the_boundary_and_fall_as_a_gaussian() -> None:
    labels = jnp.zeros((1, 5, 101), jnp.int32).at[:, :, 50:].set(1)
    weights = losses.boundary_weights(labels, height=10.0, width=5.0)[0, 2]
    distance = jnp.where(jnp.arange(101) < 50, 49 - jnp.arange(101), jnp.arange(101) - 50)
    expected = 1 + 10 * jnp.exp(-(distance**2) / 50.0)
    near = distance <= 20
    chex.assert_trees_all_close(weights[near], expected[near], rtol=1e-5)
    chex.assert_trees_all_equal(weights[~near], jnp.ones(int((~near).sum())))


def test_boundary_weights_of_a_single_class_or_of_the_unknown_are_1() -> None:
    one = jnp.zeros((1, 9, 9), jnp.int32)
    chex.assert_trees_all_equal(losses.boundary_weights(one), jnp.ones((1, 9, 9)))
    half_known = one.at[:, 4:].set(IGNORE)
    chex.assert_trees_all_equal(
        losses.boundary_weights(half_known, ignore=IGNORE), jnp.ones((1, 9, 9))
    )


def test_rare_classes_weigh_more_by_the_median_of_the_frequencies() -> None:
    # f = (60 + 50) / 200, 40 / 100, 50 / 100; the fourth class is shown nowhere.
    pixels = jnp.array([[60, 40, 0, 0], [50, 0, 50, 0]])
    expected = jnp.array([0.5 / 0.55, 0.5 / 0.4, 1.0, 0.0])
    chex.assert_trees_all_close(losses.median_frequency_weights(pixels), expected, rtol=1e-6)


def test_a_mask_of_another_size_is_refused(logits, labels) -> None:
    for loss in (losses.pixel_cross_entropy, losses.dice):
        with pytest.raises((ValueError, TypeError)):
            loss(logits, labels[:, :1])
    for measure in (metrics.confusion, metrics.boundary_f):
        bare = getattr(measure, "__wrapped__", measure)  # without the tests' look at annotations
        with pytest.raises(UserError, match="one prediction a label is needed"):
            bare(labels[:, :1], labels, CLASSES)


# Metrics


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


@pytest.fixture(scope="module")
def scenes() -> Dataset:
    return digit_scenes(0, train=101)


def test_scenes_are_labelled_digits_on_background(scenes) -> None:
    assert [len(numbers) for numbers in scenes.splits.values()] == [101, 200, 200]
    assert not np.intersect1d(scenes.splits["train"], scenes.splits["test"]).size
    batch = scenes.batch(0, 64, seed=0)
    check_masks(np.asarray(batch["image"]), np.asarray(batch["label"]), scenes.num_classes)
    assert batch["image"].dtype == jnp.float32
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
        (np.zeros((2, 4, 4, 1), np.int32), "one label a pixel"),
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
