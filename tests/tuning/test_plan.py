"""Searches that are refused before anything is trained or written."""

import dataclasses
import json

import pytest

from dlcourse import learners, training, tuning
from dlcourse.errors import UsageError, UserError
from tests.tuning import digits
from tests.tuning.points import POINTS, Config, experiment, learner, search


@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        ({"hiden": tuning.Choice((1,), (2,))}, {}, "the nearest is hidden"),
        (
            {"batch_size": tuning.Integer(0, 8)},
            {},
            "cannot be 0: batch_size must be at least",
        ),
        ({"ema": tuning.Uniform(0.5, 1)}, {}, r"ema cannot be 1\.0: ema must be below 1"),
        ({"keep": tuning.Integer(1, 2)}, {}, "keep affects only execution"),
        ({"only": tuning.Choice(("a",), ("b",))}, {}, "only selects rows of a comparison"),
        ({}, {}, "The search space is empty"),
        ({"dropout": tuning.Uniform(0, 1)}, {"metric": "accuracy"}, "write 'min loss'"),
        (
            {"dropout": tuning.Uniform(0, 1)},
            {"metric": "max acuracy"},
            "does not measure 'acuracy'; the nearest is accuracy",
        ),
        ({"dropout": tuning.Uniform(0, 1)}, {"trials": 0}, "--trials must be at least 1; it is 0"),
        ({"dropout": tuning.Uniform(0, 1)}, {"seed": -1}, "--seed must be at least 0"),
        (
            {"dropout": tuning.Uniform(0, 1)},
            {"side_by_side": 0},
            "--side-by-side must be at least 1",
        ),
        ({"dropout": tuning.Uniform(0, 1)}, {"prune": True, "side_by_side": 4}, "--side-by-side"),
    ],
)
def test_an_impossible_search_is_refused(space, options, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        search(
            tmp_path / "study", space, config=digits.Config(), experiment=digits.experiment,
            **options,
        )  # fmt: skip
    assert not (tmp_path / "study").exists()


def test_a_search_needs_a_validation_split(tmp_path):
    def without(config):
        whole = experiment(config)
        splits = {name: whole.data.splits[name] for name in ("train", "test")}
        return dataclasses.replace(whole, data=dataclasses.replace(whole.data, splits=splits))

    with pytest.raises(UserError, match="must not judge by the test split"):
        search(tmp_path, {"noise": tuning.Uniform(0, 0.5)}, experiment=without)


def test_an_option_that_the_learner_ignores_is_refused(tmp_path):
    space = {"noise": tuning.Uniform(0, 0.5)}
    with pytest.raises(UsageError, match="--ema has no effect"):
        search(tmp_path / "study", space, config=Config(ema=0.9))
    assert not (tmp_path / "study").exists()


def pair(config):
    """Two learners side by side, one of which diverges."""
    wild = dataclasses.replace(config, learning_rate=1e38)
    both = {"wild": learner(wild), "calm": learner(config)}
    return training.Experiment(learners.side_by_side(both), POINTS)


def test_of_learners_side_by_side_the_metric_of_one_counts(tmp_path):
    """With patience, of its best weights; what the other learner does has no effect."""
    space = {"noise": tuning.Choice(0.1, 0.2)}
    with pytest.raises(UsageError, match="--metric 'min loss/wild'"):
        search(tmp_path / "study", space, experiment=pair)

    def calm(name, **settings):
        result, lines = search(
            tmp_path / name, space, config=Config(learning_rate=1.5, **settings), experiment=pair,
            metric="min loss/calm", trials=1,
        )  # fmt: skip
        assert any("one after another: the learner already trains" in line for line in lines)
        (trial,) = result.trials
        assert trial.state == "complete"
        return trial.value, json.loads((tmp_path / name / "trials/0000/summary.json").read_text())

    value, summary = calm("last")
    assert value == summary["metrics"]["validation"]["loss/calm"]
    assert summary["metrics"]["validation"]["loss/wild"] is None
    value, summary = calm("best", patience=9)
    assert value == summary["best"]["calm"]["loss"]
    assert value < summary["metrics"]["validation"]["loss/calm"]  # the rate is too high
