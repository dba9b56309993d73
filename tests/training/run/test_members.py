"""Several seeds and populations: each member learns what it would learn alone."""

import chex
import jax
import numpy as np
import pytest

from dlcourse import learners, losses, models, optim, training
from dlcourse.learner import Rule
from dlcourse.training.run.ends import Interrupted
from tests.kinds import Config, digits
from tests.training.runs import At, train

pytestmark = pytest.mark.usefixtures("without_curves", "shared_programs")


def test_seeds_differ_and_repeat(tmp_path):
    runs = [train("classifier", tmp_path / str(i), seed=seed) for i, seed in enumerate((3, 3, 4))]
    chex.assert_trees_all_equal(runs[0].state, runs[1].state)
    kernels = [run.state.params["Dense_0"]["kernel"] for run in runs]
    assert not np.allclose(kernels[0], kernels[2])


def test_seeds_side_by_side_equal_separate_runs(tmp_path):
    together = train("classifier", tmp_path / "both", seed=3, seeds=2)
    for member, seed in enumerate((3, 4)):
        alone = train("classifier", tmp_path / str(seed), seed=seed)
        state = jax.tree.map(lambda leaf, m=member: leaf[m], together.state)
        chex.assert_trees_all_close(state, alone.state, rtol=1e-3, atol=1e-5)
        accuracy = together.summary["metrics"]["test"]["accuracy"]
        expected = alone.summary["metrics"]["test"]["accuracy"]
        assert accuracy["values"][member] == pytest.approx(expected, abs=0.003)
    assert accuracy["mean"] == pytest.approx(np.mean(accuracy["values"]))
    assert accuracy["std"] == pytest.approx(np.std(accuracy["values"], ddof=1))
    assert together.summary["parameters"] == alone.summary["parameters"]


@pytest.mark.long
def test_a_stopped_population_resumes_exactly(tmp_path, monkeypatch):
    expected = train("gan", tmp_path / "whole", seeds=2)
    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        train("gan", tmp_path / "stopped", At(patched, 8), seeds=2)
    result = train("gan", tmp_path / "stopped", seeds=2)
    chex.assert_trees_all_equal(result.state, expected.state)


def sgd(rate):
    rule = Rule(optim.sgd(rate))
    return learners.supervised(models.MLP((17, 10)), losses.softmax_cross_entropy, rule)


def test_a_population_of_rates_learns_what_each_would_alone(tmp_path):
    rates = np.array([0.01, 0.3], np.float32)
    config = Config(workdir=tmp_path / "both")
    together = training.run(
        training.Experiment(training.population(sgd, rates), digits()), config, name="rates"
    )
    for member, rate in enumerate(rates):
        config = Config(workdir=tmp_path / str(member))
        alone = training.run(training.Experiment(sgd(float(rate)), digits()), config, name="rate")
        state = jax.tree.map(lambda leaf, m=member: leaf[m], together.state)
        chex.assert_trees_all_close(state.learned.params, alone.state.params, rtol=1e-3, atol=1e-5)
        assert together.summary["parameters"] == alone.summary["parameters"]


def test_a_population_continues_while_one_member_is_finite(tmp_path):
    rates = np.array([0.1, np.inf], np.float32)
    config = Config(workdir=tmp_path)
    result = training.run(
        training.Experiment(training.population(sgd, rates), digits()),
        config,
        name="rates",
    )
    loss = result.summary["metrics"]["test"]["loss"]["values"]
    assert loss[0] > 0
    assert loss[1] is None
