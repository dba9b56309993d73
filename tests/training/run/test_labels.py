"""Labels without an output are refused before training, and valid ones never."""

import functools

import numpy as np
import pytest

from dlcourse import data, learners, losses, models, optim, training
from dlcourse.errors import UserError
from dlcourse.learner import Rule
from dlcourse.training.run.labels import require_outputs
from tests.kinds import Config


def labelled(*labels, kind=np.int32):
    """A set in memory without class names."""
    x = np.arange(2.0 * len(labels), dtype=np.float32).reshape(-1, 2)
    splits = {"train": np.arange(len(labels))}
    return data.Dataset("mine", {"image": x, "label": np.array(labels, kind)}, splits)


def classifier(loss=losses.softmax_cross_entropy, outputs=3):
    return learners.supervised(models.MLP((outputs,)), loss, Rule(optim.sgd(0.1)))


def test_labels_from_1_are_refused_before_training(tmp_path):
    experiment = training.Experiment(classifier(), labelled(1, 2, 3, 1))
    message = (
        r"labels of 'mine' range from 1 to 3, and the network has 3 outputs, for the classes 0 to 2"
    )
    with pytest.raises(UserError, match=message) as raised:
        training.run(experiment, Config(workdir=tmp_path), name="mine", silent=True)
    assert len(str(raised.value).splitlines()) == 1
    assert not (tmp_path / "metrics.jsonl").read_text()


@pytest.mark.parametrize("labels", [(3, 4), (0, 1, 3)])
def test_some_or_all_labels_may_be_out_of_range(labels):
    pair = learners.side_by_side({"a": classifier(), "b": classifier(outputs=7)})
    for learner in (classifier(), pair):
        with pytest.raises(UserError, match="the network has 3 outputs"):
            require_outputs(learner, labelled(*labels))


def ignoring(ignore):
    return functools.partial(losses.softmax_cross_entropy, ignore=ignore)


def sigmoid(logits, labels):
    return losses.sigmoid_cross_entropy(logits[:, 0], labels)


def squared(outputs, targets):
    return losses.squared_error(outputs[:, 0], targets)


@pytest.mark.parametrize(
    ("learner", "images"),
    [
        (classifier(), labelled(0, 1, 2)),
        (classifier(ignoring(255)), labelled(0, 2, 255)),
        (classifier(ignoring(-1)), labelled(-1, 0, 2)),
        (classifier(sigmoid, outputs=1), labelled(0, 1)),
        (classifier(squared, outputs=1), labelled(0, 7, kind=np.float32)),
        (classifier(squared, outputs=1), labelled(0, 7)),
    ],
    ids=["in range", "ignored 255", "ignored -1", "one logit", "real numbers", "counts"],
)
def test_what_the_loss_can_use_is_accepted(learner, images):
    require_outputs(learner, images)
