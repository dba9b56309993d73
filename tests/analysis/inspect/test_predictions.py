"""Predictions of a whole split, worst mistakes, and figures that compile once."""

import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import analysis, data
from dlcourse.analysis.inspect.predictions import worst_mistakes
from dlcourse.data import IGNORE

CLASSES = 3


@pytest.fixture
def images() -> data.Dataset:
    random = np.random.default_rng(0)
    examples = {
        "image": random.integers(0, 255, (31, 4, 4, 1), dtype=np.uint8),
        "label": np.arange(31) % CLASSES,
    }
    splits = {"train": np.arange(8), "test": np.arange(8, 31)}

    def prepare(batch):
        return batch | {"image": batch["image"] / 255}

    return data.Dataset("small", examples, splits, prepare, tuple("abc"))


def linear(state, batch, key):
    return batch["image"].reshape(len(batch["image"]), -1) @ state


WEIGHTS = np.random.default_rng(1).normal(size=(16, CLASSES)).astype(np.float32)


def test_predictions_are_in_the_order_of_the_split_and_without_padding(images):
    logits, labels = analysis.predictions(linear, jnp.array(WEIGHTS), images, batch_size=5)
    test = images.read(images.splits["test"])
    np.testing.assert_array_equal(labels, test["label"])
    np.testing.assert_allclose(logits, test["image"].reshape(23, 16) / 255 @ WEIGHTS, atol=1e-5)


def test_the_worst_mistakes_come_first():
    logits = np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.05, 0.95]]))
    places, probabilities = worst_mistakes(logits, np.array([0, 0, 1, 0]), most=2)
    assert places.tolist() == [3, 1]
    np.testing.assert_allclose(probabilities, [0.95, 0.8])


def test_both_figures_of_a_classifier_compile_its_forward_pass_once(images):
    traces = []

    def apply(state, batch, key):
        traces.append(batch["image"].shape)
        return linear(state, batch, key)

    figures = analysis.classification(apply, images)
    drawn = {name: draw(jnp.array(WEIGHTS)) for name, draw in figures.items()}
    figures["confusion"](jnp.array(2 * WEIGHTS))
    assert len(traces) == 1
    assert "23 test examples" in drawn["confusion"].get_suptitle()
    assert "mistakes in 23 test images" in drawn["mistakes"].get_suptitle()


def test_predicted_masks_are_without_padding():
    random = np.random.default_rng(0)
    labels = np.full((3, 16, 32), IGNORE)
    labels[:, :13, :21] = random.integers(0, 3, (3, 13, 21))
    features = {"image": random.random((3, 16, 32, 3)).astype(np.float32), "label": labels}
    padded = data.Dataset("padded", features, {"test": np.arange(3)})
    shown = analysis.predict_masks(lambda state, batch, key: batch["image"], None, padded, 3)
    np.testing.assert_array_equal(shown[0], features["image"][:, :13, :21])
    np.testing.assert_array_equal(shown[1], labels[:, :13, :21])
    np.testing.assert_array_equal(shown[2], features["image"][:, :13, :21].argmax(-1))
