"""Patience: the best weights, of each member and each part by itself."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import learners, losses, models, optim, training
from dlcourse.errors import UsageError
from dlcourse.learner import Rule, without_optimizer
from dlcourse.training.run.ends import Interrupted
from dlcourse.training.run.selection import Selection
from tests.kinds import KINDS, Config, digits
from tests.training.runs import At, rows, train

pytestmark = pytest.mark.usefixtures("without_curves", "shared_programs")


def softmax_regression(rate):
    rule = Rule(optim.sgd(rate))
    return learners.supervised(models.MLP((10,)), losses.softmax_cross_entropy, rule)


def growing(first, factor):
    """A learning rate that grows until training blows up."""
    return lambda step: first * factor**step


def test_early_stopping_keeps_the_best_weights(tmp_path):
    """A rate that overshoots in the end: the best validation row is not the last."""

    experiment = training.Experiment(softmax_regression(growing(0.02, 1.12)), digits())
    config = Config(workdir=tmp_path / "stopped", steps=400, patience=3, checkpoint_every="100%")
    result = training.run(experiment, config, name="early")
    validation = [row for row in rows(tmp_path / "stopped") if row["split"] == "validation"]
    losses_seen = [row["loss"] for row in validation]
    best = int(np.argmin(losses_seen))
    assert result.summary["steps"] < 400
    assert len(validation) == best + 1 + 3
    assert result.summary["best"] == {"step": validation[best]["step"], "loss": losses_seen[best]}
    # The weights that are kept are those of the best step, not of the last.
    shorter = dataclasses.replace(
        config, workdir=tmp_path / "best", steps=validation[best]["step"], patience=None
    )
    at_best = training.run(experiment, shorter, name="early")
    chex.assert_trees_all_equal(result.state.params, at_best.state.params)


def test_early_stopping_survives_a_stop(tmp_path, monkeypatch):
    expected = train("classifier", tmp_path / "whole", patience=2, evaluate_every="2 steps")
    often = {"patience": 2, "evaluate_every": "2 steps"}
    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        train("classifier", tmp_path / "b", At(patched, 11), **often)
    result = train("classifier", tmp_path / "b", patience=2, evaluate_every="2 steps")
    chex.assert_trees_all_equal(result.state, expected.state)
    assert result.summary["best"] == expected.summary["best"]


def test_the_best_state_has_no_optimizer_at_any_depth(key):
    rates = np.array([0.1, 0.2], np.float32)
    learner = learners.side_by_side({"rate": training.population(softmax_regression, rates)})
    state = learner.init(key, {"image": jnp.ones((7, 8, 8, 1)), "label": jnp.arange(7)})
    assert state["rate"].learned.opt_state is not None
    judged = without_optimizer(state)
    assert judged["rate"].learned.opt_state is None
    chex.assert_trees_all_equal(judged["rate"].learned.params, state["rate"].learned.params)


PARTS = {"early": growing(0.05, 1.3), "late": growing(0.02, 1.12)}


def test_each_part_keeps_its_own_best_weights(tmp_path):
    """Those that it would keep alone, though the others train on."""

    alone = {name: softmax_regression(growing_rate) for name, growing_rate in PARTS.items()}

    def run(name, learner):
        config = Config(
            workdir=tmp_path / name, steps=400, patience=3, evaluate_every="5 steps",
            checkpoint_every="100%",
        )  # fmt: skip
        return training.run(training.Experiment(learner, digits()), config, name=name, silent=True)

    together = run("both", learners.side_by_side(alone))
    steps = []
    for name in PARTS:
        expected = run(name, alone[name])
        best = together.summary["best"][name]
        assert best["step"] == expected.summary["best"]["step"]
        assert best["loss"] == pytest.approx(expected.summary["best"]["loss"], rel=1e-5)
        chex.assert_trees_all_close(
            together.state[name].params, expected.state.params, rtol=1e-5, atol=1e-6
        )
        assert together.state[name].opt_state is None
        steps.append(best["step"])
        # The test metrics are those of the best weights.
        measured = together.summary["metrics"]["test"][f"loss/{name}"]
        assert measured == pytest.approx(expected.summary["metrics"]["test"]["loss"], rel=1e-5)
    assert steps[0] < steps[1]
    assert together.summary["steps"] == steps[1] + 3 * 5


def test_each_part_of_each_member_is_judged_by_itself():
    selection = Selection("max accuracy", 2, members=(2,), parts=("a", "b"))

    def judge(step, a, b):
        row = {"step": step, "accuracy/a": {"values": a}, "accuracy/b": {"values": b}}
        return {part: mask.tolist() for part, mask in selection.judge(row).items()}

    assert judge(1, [0.5, None], [0.1, 0.9]) == {"a": [True, False], "b": [True, True]}
    assert judge(2, [0.4, 0.2], [0.2, 0.9]) == {"a": [False, True], "b": [True, False]}
    assert judge(3, [0.5, 0.3], [0.3, 0.8]) == {"a": [False, True], "b": [True, False]}
    # Two evaluations without a better value end a member, however good it becomes.
    assert judge(4, [0.9, 0.1], [0.1, 0.99]) == {"a": [False, False], "b": [False, False]}
    assert not selection.stopped
    judge(5, [0.9, 0.1], [0.1, 0.99])
    assert selection.stopped
    assert selection.summary() == {
        "a": {"step": [1, 3], "accuracy": [0.5, 0.3]},
        "b": {"step": [3, 1], "accuracy": [0.3, 0.9]},
    }


@pytest.mark.parametrize("side_by_side", [False, True])
def test_a_misspelt_monitor_is_refused_before_anything_is_compiled(side_by_side, tmp_path, caplog):
    def experiment(config):
        rule = config.rule_of(optim.sgd(0.1))
        learner = learners.supervised(models.MLP((10,)), losses.softmax_cross_entropy, rule)
        if side_by_side:
            learner = learners.side_by_side({"a": learner, "b": learner})
        return training.Experiment(learner, digits(), monitor="max acuracy")

    message = "The validation metrics have no 'acuracy' to monitor; they have accuracy, loss."
    with jax.log_compiles(), pytest.raises(UsageError, match=message):
        training.run(experiment, Config(workdir=tmp_path), name="misspelt", silent=True)
    compiled = [r.message for r in caplog.records if "Finished XLA compilation" in r.message]
    assert not [text for text in compiled if "(_init)" in text or "_train" in text]
    assert not (tmp_path / "metrics.jsonl").read_text()


def test_a_command_may_choose_what_is_monitored(tmp_path):
    result = train("classifier", tmp_path, patience=1, monitor="max accuracy")
    validation = [row for row in rows(tmp_path) if row["split"] == "validation"]
    best = max(validation, key=lambda row: row["accuracy"])  # the first of equal ones
    assert result.summary["best"] == {"step": best["step"], "accuracy": best["accuracy"]}


def test_a_monitor_has_a_direction():
    with pytest.raises(UsageError, match="monitor is 'accuracy'; write 'min loss'"):
        Selection("accuracy", None, members=())


def test_patience_needs_a_validation_split(tmp_path):
    def experiment(config):
        everything = dataclasses.replace(digits(), splits={"train": np.arange(99)})
        return dataclasses.replace(KINDS["classifier"](config), data=everything)

    config = Config(workdir=tmp_path, patience=2)
    with pytest.raises(UsageError, match="--patience needs a validation split, and 'digits' has"):
        training.run(experiment, config, name="classifier", silent=True)
