"""The options of classifiers: which weights the cross-entropy of a set has."""

import dataclasses

import jax
import numpy as np
import pytest
import sklearn.utils.class_weight

from dlcourse import data, learners, training
from dlcourse.data.images import Rows
from dlcourse.errors import UsageError, UserError


@dataclasses.dataclass(frozen=True)
class Config(training.Config, learners.Classification):
    """As an experiment inherits both."""


LABELS = np.int32([0, 0, 1, 2, 0, 0, 1, 2, 2, 2, 2, 2])
TRAIN = np.arange(8)  # four of class 0, two of 1, two of 2
LOGITS = np.zeros((12, 3), np.float32)


def labelled(train=TRAIN, source=dict):
    examples = source({"x": np.zeros((12, 2)), "label": LABELS})
    return data.Dataset("own", examples, {"train": train}, classes=("ant", "bee", "cat"))


class Plain:
    """A source that tells nothing of its labels but the examples themselves."""

    def __init__(self, arrays):
        self.rows = Rows(arrays)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


@pytest.mark.parametrize("source", [dict, Rows, Plain])
def test_balanced_weights_are_those_of_the_train_split(source):
    images = labelled(source=source)
    np.testing.assert_array_equal(images.class_counts("train"), [4, 2, 2])
    loss = jax.jit(Config(class_weights="balanced").cross_entropy(images))
    values, weights = loss(LOGITS, LABELS)
    expected = sklearn.utils.class_weight.compute_class_weight(
        "balanced", classes=np.arange(3), y=LABELS[TRAIN]
    )
    np.testing.assert_allclose(weights, expected[LABELS], rtol=1e-6)
    np.testing.assert_allclose(values, np.log(3), rtol=1e-6)
    np.testing.assert_allclose(np.asarray(weights)[TRAIN].sum(), 8)  # as without weights


def test_without_weights_it_is_the_plain_loss():
    plain = jax.jit(Config().cross_entropy(labelled(), smoothing=0.1))(LOGITS, LABELS)
    np.testing.assert_allclose(plain, np.full(12, np.log(3)), rtol=1e-6)


def test_a_class_without_training_examples_is_named():
    config, few = Config(class_weights="balanced"), labelled(train=np.array([0, 1]))
    with pytest.raises(UsageError, match="train split of 'own' has none of bee, cat"):
        config.cross_entropy(few)
    Config().cross_entropy(few)  # without weights it may be trained on


def test_a_label_out_of_range_in_a_stream_is_refused():
    rows = Rows({"label": np.int32([0, 1, 3])})
    streamed = data.Dataset("own", rows, {"train": np.arange(3)}, classes=("a", "b", "c"))
    with pytest.raises(UserError, match="labels of 'own' range from 0 to 3"):
        streamed.class_counts("train")
