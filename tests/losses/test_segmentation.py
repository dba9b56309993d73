"""Segmentation losses: values and weights against closed forms and PyTorch's `ignore_index`."""

import functools
import inspect
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from dlcourse import losses
from dlcourse.metrics import Weighted

BATCH, HEIGHT, WIDTH, CLASSES = 3, 7, 11, 5
IGNORE = 255

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(CLASSES, size=(BATCH, HEIGHT, WIDTH)).astype(np.int32)
LOGITS = GENERATOR.normal(size=(BATCH, HEIGHT, WIDTH, CLASSES)).astype(np.float32)

# Two images of three pixels in which class 1 has probability 3/4 everywhere.
HAND_LOGITS = np.tile(np.array([0, np.log(3)], np.float32), (2, 1, 3, 1))
HAND_LABELS = np.array([[[1, IGNORE, IGNORE]], [[0, 1, IGNORE]]], np.int32)

# Compiled as one program: operation by operation each would be compiled for itself.
pixel_cross_entropy = jax.jit(losses.pixel_cross_entropy, static_argnames="ignore")
dice = jax.jit(losses.dice, static_argnames="ignore")
boundary_weights = jax.jit(losses.boundary_weights, static_argnames=("height", "width", "ignore"))


def mean(loss: Weighted) -> jax.Array:
    return jnp.sum(loss.values * loss.weights) / jnp.sum(loss.weights)


def mean_and_gradient(loss: Callable, logits, labels, weights=(), *, ignore: int) -> tuple:
    def cost(logits: jax.Array) -> jax.Array:
        return mean(loss(logits, jnp.asarray(labels), *weights, ignore=ignore))

    return jax.value_and_grad(cost)(logits)


@functools.cache
def by_hand() -> tuple[np.ndarray, np.ndarray]:
    """The mean and the gradient of the two images that are done by hand."""
    of = functools.partial(mean_and_gradient, losses.pixel_cross_entropy, ignore=IGNORE)
    return jax.device_get(jax.jit(of)(HAND_LOGITS, HAND_LABELS))


def replaced(array: np.ndarray, index: object, value: float) -> np.ndarray:
    array = array.copy()
    array[index] = value
    return array


def cross_entropy() -> np.ndarray:
    log_probs = scipy.special.log_softmax(LOGITS.astype(np.float64), axis=-1)
    return -np.take_along_axis(log_probs, LABELS[..., None], axis=-1)[..., 0]


both = pytest.mark.parametrize("loss", [losses.pixel_cross_entropy, losses.dice])


def test_pixel_cross_entropy_by_hand() -> None:
    values, weights = pixel_cross_entropy(HAND_LOGITS, HAND_LABELS, ignore=IGNORE)
    right, wrong = np.log(4 / 3), np.log(4)
    np.testing.assert_allclose(values, [[[right, 0, 0]], [[wrong, right, 0]]], rtol=1e-6)
    np.testing.assert_array_equal(weights, [[[1, 0, 0]], [[1, 1, 0]]])
    # The mean over all counted pixels, as PyTorch's cross_entropy(ignore_index=255) has it: 0.654.
    # The mean of the two images' means, 0.562, is another number.
    expected = (2 * right + wrong) / 3
    found = np.sum(np.asarray(values)) / np.sum(np.asarray(weights))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_mean_is_exact_when_micro_batches_count_different_numbers_of_pixels() -> None:
    parts = [
        pixel_cross_entropy(HAND_LOGITS[i : i + 1], HAND_LABELS[i : i + 1], ignore=IGNORE)
        for i in range(2)
    ]
    total, counted = np.sum([np.sum(part, axis=(1, 2, 3)) for part in parts], axis=0)
    whole, _ = by_hand()
    np.testing.assert_allclose(total / counted, whole, rtol=1e-6)


def test_the_gradient_by_hand() -> None:
    """`(softmax - target) / 3` at each of the three counted pixels, 0 at the others."""
    _, gradient = by_hand()
    right, wrong, none = [1 / 12, -1 / 12], [-1 / 4, 1 / 4], [0, 0]
    np.testing.assert_allclose(gradient, [[[right, none, none]], [[wrong, right, none]]], rtol=1e-5)


def test_pixel_cross_entropy_is_cross_entropy_at_each_pixel() -> None:
    values, weights = pixel_cross_entropy(LOGITS, LABELS)
    np.testing.assert_allclose(values, cross_entropy(), rtol=1e-5)
    np.testing.assert_array_equal(weights, np.ones_like(LABELS))


def test_pixel_weights_multiply_the_values_and_not_the_weights() -> None:
    shares = GENERATOR.random(LABELS.shape, np.float32)
    values, weights = pixel_cross_entropy(LOGITS, LABELS, shares)
    np.testing.assert_allclose(values, shares * cross_entropy(), rtol=1e-5)
    np.testing.assert_array_equal(weights, np.ones_like(LABELS))


@both
def test_ignored_pixels_cost_nothing_and_teach_nothing(loss) -> None:
    """The loss is that of the other pixels alone; ignored logits need not be finite."""
    hidden = np.s_[:, :, 4:]
    logits = replaced(LOGITS, hidden, np.nan)

    @jax.jit
    def masked_and_alone(logits: jax.Array, others: jax.Array) -> tuple:
        masked = [
            mean_and_gradient(loss, logits, replaced(LABELS, hidden, ignore), ignore=ignore)
            for ignore in (IGNORE, -1)
        ]
        return masked, mean_and_gradient(loss, others, LABELS[:, :, :4], ignore=IGNORE)

    masked, (alone, expected) = jax.device_get(masked_and_alone(logits, LOGITS[:, :, :4]))
    for value, gradient in masked:
        np.testing.assert_allclose(value, alone, rtol=1e-5)
        np.testing.assert_allclose(gradient[:, :, :4], expected, rtol=1e-4, atol=1e-7)
        np.testing.assert_array_equal(gradient[hidden], 0.0)


@both
def test_an_image_of_ignored_pixels_alone_has_weight_0(loss) -> None:
    labels = replaced(LABELS, 1, IGNORE)

    @jax.jit
    def three_images_and_two(logits: jax.Array, others: jax.Array) -> tuple:
        return (
            loss(logits, jnp.asarray(labels), ignore=IGNORE),
            mean_and_gradient(loss, logits, labels, ignore=IGNORE),
            mean_and_gradient(loss, others, LABELS[::2], ignore=IGNORE),
        )

    found = jax.device_get(three_images_and_two(LOGITS, LOGITS[::2]))
    (values, weights), (value, gradient), (alone, _) = found
    np.testing.assert_array_equal(values[1], 0.0)
    np.testing.assert_array_equal(weights[1], 0.0)
    np.testing.assert_array_equal(weights[0], 1.0)
    np.testing.assert_allclose(value, alone, rtol=1e-6)
    np.testing.assert_array_equal(gradient[1], 0.0)


def test_pixel_weights_of_ignored_pixels_may_be_anything() -> None:
    labels = replaced(LABELS, np.s_[:, 2], IGNORE)
    shares = replaced(np.ones(LABELS.shape, np.float32), np.s_[:, 2], np.inf)
    of = functools.partial(mean_and_gradient, losses.pixel_cross_entropy, ignore=IGNORE)
    value, gradient = jax.device_get(jax.jit(of)(LOGITS, labels, (shares,)))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient[:, 2], 0.0)


def test_dice_is_the_decks_formula_class_by_class() -> None:
    probabilities = scipy.special.softmax(LOGITS.astype(np.float64), axis=-1)
    expected = []
    for image, mask in zip(probabilities, LABELS, strict=True):
        fractions = []
        for c in np.unique(mask):
            y, predicted = (mask == c).astype(float), image[..., c]
            fractions.append(2 * (y * predicted).sum() / (y.sum() + predicted.sum()))
        expected.append(1 - np.mean(fractions))
    values, weights = dice(LOGITS, LABELS)
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    np.testing.assert_array_equal(weights, np.ones(BATCH))


def certain(labels: np.ndarray) -> np.ndarray:
    """Logits whose softmax is 1 at these labels."""
    return 1000 * np.eye(CLASSES, dtype=np.float32)[labels]


def test_dice_of_the_right_answer_is_0_and_of_a_wrong_one_is_1() -> None:
    np.testing.assert_allclose(dice(certain(LABELS), LABELS).values, np.zeros(BATCH), atol=1e-6)
    wrong = certain((LABELS + 1) % CLASSES)
    np.testing.assert_allclose(dice(wrong, LABELS).values, np.ones(BATCH), atol=1e-6)


def test_dice_of_classes_that_do_not_occur_in_the_image() -> None:
    """The right answer costs 0 though classes are absent; predicting an absent class costs."""
    labels = np.zeros((1, 4, 4), np.int32)
    np.testing.assert_allclose(dice(certain(labels), labels).values, [0], atol=1e-6)
    half = certain(replaced(labels, np.s_[:, :2], 2))
    # 2 · 8 / (16 + 8) of class 0 is found.
    np.testing.assert_allclose(dice(half, labels).values, [1 / 3], atol=1e-6)


def test_boundary_weights_peak_on_the_boundary_and_fall_as_a_gaussian() -> None:
    labels = np.tile((np.arange(101) >= 50).astype(np.int32), (1, 5, 1))
    weights = np.asarray(boundary_weights(labels, height=10.0, width=5.0))[0, 2]
    distance = np.where(np.arange(101) < 50, 49 - np.arange(101), np.arange(101) - 50)
    near = distance <= 20
    np.testing.assert_allclose(weights[near], 1 + 10 * np.exp(-(distance[near] ** 2) / 50), 1e-5)
    np.testing.assert_array_equal(weights[~near], 1.0)


def test_boundary_weights_without_a_known_boundary_are_1() -> None:
    one = np.zeros((1, 9, 9), np.int32)
    half_known = replaced(one, np.s_[:, 4:], IGNORE)
    for labels in (one, half_known):
        np.testing.assert_array_equal(boundary_weights(labels, ignore=IGNORE), np.ones((1, 9, 9)))


def test_median_frequency_weights_by_hand() -> None:
    # f = (60 + 50) / 200, 40 / 100, 50 / 100; the fourth class occurs nowhere.
    pixels = np.array([[60, 40, 0, 0], [50, 0, 50, 0]])
    weights = jax.jit(losses.median_frequency_weights)(pixels)
    np.testing.assert_allclose(weights, [0.5 / 0.55, 0.5 / 0.4, 1.0, 0.0], rtol=1e-6)


@both
def test_masks_of_another_size_are_refused(loss) -> None:
    with pytest.raises(ValueError, match=r"\(3, 7, 11, 5\) and labels \(3, 1, 11\) do not match"):
        inspect.unwrap(loss)(jnp.asarray(LOGITS), jnp.asarray(LABELS[:, :1]))
