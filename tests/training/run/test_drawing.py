"""Drawing at the end of a run: the numbers are saved first, and a figure that fails is named."""

import numpy as np
import pytest

from dlcourse import training
from dlcourse.analysis.inspect.predictions import classification
from dlcourse.figures import new
from tests.kinds import KINDS, Config, digits

pytestmark = pytest.mark.usefixtures("without_curves")


def test_a_figure_that_fails_is_a_warning_with_its_name(tmp_path):
    made = KINDS["classifier"](Config())

    def broken(state):
        raise IndexError("no such class")

    drawings = {"first": broken, "second": lambda state: new()[0]}
    experiment = training.Experiment(made.learner, made.data, made.monitor, drawings)
    message = r"The figure 'first' could not be drawn: IndexError in test_drawing\.py, line \d+: no"
    with pytest.warns(UserWarning, match=message):
        run = training.run(experiment, Config(workdir=tmp_path, steps=3), name="broken")
    assert run.summary["metrics"]["test"]["accuracy"] > 0
    assert [figure.name for figure in (tmp_path / "figures").iterdir()] == ["second.png"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_classifier_without_mistakes_is_drawn(stream):
    images = digits(stream)
    right = np.eye(10, dtype=np.float32)[digits().examples["label"]]
    drawings = classification(lambda state, batch, key: state[batch["index"]], images)
    for draw in drawings.values():
        figure = draw(right)
        assert figure.get_axes()
    assert figure.get_suptitle() == "No mistakes in 450 test images"
