"""Searches that train: diverged, pruned and stopped trials, and what each leaves behind."""

import dataclasses
import json

import pytest

from dlcourse import tuning
from dlcourse.errors import UsageError
from dlcourse.training.run.ends import Interrupted
from dlcourse.training.run.interruption import Interruption
from dlcourse.tuning.runner import Pruning
from dlcourse.tuning.study import Study
from tests.tuning.points import Config, experiment, search


def test_a_diverged_trial_is_no_result_and_stops_no_other(tmp_path, drawing):
    space = {"learning_rate": tuning.Choice(0.1, 1e38)}
    for side_by_side in (2, 1):
        folder = tmp_path / str(side_by_side)
        result, _ = search(folder, space, method="grid", side_by_side=side_by_side)
        assert [trial.state for trial in result.trials] == ["complete", "diverged"]
        assert result.trials[1].value is None
        assert result.best.number == 0
        saved = json.loads((folder / "results.json").read_text())
        assert saved["trials"][1]["value"] is None
        assert (folder / "figures" / "parallel_coordinates.png").stat().st_size > 1000


def validation(folder, trial):
    """The validation loss of a trial as its run logged it."""
    rows = (folder / "trials" / trial.run / "metrics.jsonl").read_text().splitlines()
    return [row["loss"] for row in map(json.loads, rows) if row["split"] == "validation"]


RATES = {"learning_rate": tuning.Choice(0.1, 1e-3, 1e-2, 0.2)}


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pruned")
    return folder, search(folder, RATES, method="grid", prune=True, config=Config(steps=9))[0]


def test_pruning_stops_what_falls_behind(pruned):
    folder, result = pruned
    states = [trial.state for trial in result.trials]
    assert states == ["complete", "pruned", "pruned", "complete"]
    for trial in result.trials:
        # What was reported is the run's own validation row, and it ends at a rung: 1, 3 of 9.
        assert [*trial.reports.values()] == validation(folder, trial)
        assert trial.state == "complete" or max(trial.reports) in (1, 3)
        # Only a trained model is kept.
        steps = [step.name for step in (folder / "trials" / trial.run / "checkpoints").glob("*")]
        assert steps == (["9"] if trial.state == "complete" else [])


def test_a_finished_run_is_complete_and_what_is_not_finite_has_diverged():
    told = []

    def judge(number, value):
        told.append((number, value))
        return True

    pruning = Pruning(judge, lambda row: row["loss"], evaluations=3)
    assert pruning.evaluated(1, {"loss": 0.5})
    assert not pruning.evaluated(3, {"loss": 0.25})
    assert told == [(1, 0.5), (3, 0.25)]
    assert not pruning.diverged
    assert pruning.evaluated(3, {"loss": float("nan")})
    assert pruning.diverged
    assert len(told) == 2


class After(Interruption):
    """A signal that comes when it has been asked for so many times; or the process ends there."""

    def __init__(self, asked, error=None):
        super().__init__()
        self.left, self.error = asked, error

    def __bool__(self):
        self.left -= 1
        if self.left < 0:
            self.signal = "SIGTERM"
            if self.error:
                raise self.error
        return self.left < 0


@pytest.mark.long
def test_pruning_survives_a_stop_and_a_crash(pruned, tmp_path):
    """A run that goes on is told of its evaluations again, whether or not they were saved."""
    options = {
        "method": "grid",
        "prune": True,
        "config": Config(steps=9, checkpoint_every="4 steps"),
    }
    for asked in (2, 3):  # after the first rung of the first trial, then of a trial to prune
        with pytest.raises(Interrupted, match="The same command resumes it"):
            search(tmp_path, RATES, interruption=After(asked), **options)
    for asked in (4, 6, 8):
        with pytest.raises(MemoryError):
            search(tmp_path, RATES, interruption=After(asked, MemoryError()), **options)
    result, _ = search(tmp_path, RATES, **options)
    _, expected = pruned
    assert [t.state for t in result.trials] == [t.state for t in expected.trials]
    assert [t.reports for t in result.trials] == [t.reports for t in expected.trials]
    for trial in result.trials:
        assert [*trial.reports.values()] == validation(tmp_path, trial)


def test_an_interrupted_study_goes_on(tmp_path):
    """In the middle of a run, and between two runs: the trials and their values are the same."""
    options = {"method": "tpe", "trials": 4, "side_by_side": 2}
    space = {"learning_rate": tuning.LogUniform(0.01, 1.0)}
    expected, _ = search(tmp_path / "whole", space, **options)
    folder = tmp_path / "stopped"
    states = []
    for _ in range(2):  # two of the four steps of the first run, then the other two
        with pytest.raises(Interrupted, match="The same command resumes it"):
            search(folder, space, interruption=After(2), **options)
        with Study(folder, space, maximize=False) as study:
            states.append([trial.state for trial in study.trials])
    assert states == [["running"] * 2, ["complete"] * 2]
    result, _ = search(folder, space, **options)
    assert [t.values for t in result.trials] == [t.values for t in expected.trials]
    assert [t.value for t in result.trials] == [t.value for t in expected.trials]
    finished, lines = search(folder, space, **options)  # it only reports
    assert finished.trials == result.trials
    assert not any(line.startswith("1/4") for line in lines)
    # A study grows, but does not change.
    with pytest.raises(UsageError, match="seed was 0 and is 1"):
        search(folder, space, **options | {"seed": 1})
    with pytest.raises(UsageError, match=r"search was .* and is"):
        search(folder, {"noise": tuning.Uniform(0, 0.5)}, **options)


SPACE = {"learning_rate": tuning.LogUniform(0.01, 1.0)}


def test_a_finished_search_is_extended(tmp_path):
    """It repeats no trial, and is the search that had the larger number from the start."""
    options = {"prune": True, "config": Config(steps=9)}  # random, one trial after another
    expected, _ = search(tmp_path / "whole", SPACE, trials=5, **options)
    folder = tmp_path / "extended"
    first, _ = search(folder, SPACE, trials=3, **options)
    assert [trial.number for trial in first.trials] == [*range(3)]
    assert json.loads((folder / "search.json").read_text())["trials"] == 3
    before = {place: place.stat().st_mtime_ns for place in (folder / "trials").rglob("*.jsonl")}
    extended, lines = search(folder, SPACE, trials=5, **options)
    assert [t.values for t in extended.trials] == [t.values for t in expected.trials]
    assert [t.value for t in extended.trials] == [t.value for t in expected.trials]
    assert {t.state for t in expected.trials} == {"complete", "pruned"}
    assert [t.state for t in extended.trials] == [t.state for t in expected.trials]
    assert extended.best.number == expected.best.number
    assert before == {place: place.stat().st_mtime_ns for place in before}
    assert any(line.startswith("5/5") for line in lines)
    assert json.loads((folder / "search.json").read_text())["trials"] == 5
    shorter, _ = search(folder, SPACE, trials=3, **options)  # it only reports
    assert shorter.trials == extended.trials
    assert json.loads((folder / "search.json").read_text())["trials"] == 5


@pytest.mark.parametrize("method", ["grid", "coarse-to-fine"])
def test_a_search_whose_points_depend_on_their_number_is_not_extended(method, tmp_path):
    search(tmp_path, SPACE, method=method, trials=3)
    message = f"trials was 3 and is 4. The points of a {method} search depend on the number"
    with pytest.raises(UsageError, match=message):
        search(tmp_path, SPACE, method=method, trials=4)


def test_trials_are_silent_and_what_the_experiment_prints_is_seen(tmp_path, capfd):
    def printing(config):
        made = experiment(config)

        def evaluate(state, batch):
            print("evaluating", config.start)
            return made.learner.evaluate(state, batch)

        return dataclasses.replace(made, learner=made.learner._replace(evaluate=evaluate))

    search(tmp_path, {"start": tuning.Choice(3, 7)}, method="grid", experiment=printing)
    out, err = capfd.readouterr()
    assert set(out.splitlines()) == {f"evaluating {start}" for start in (5, 3, 7)}
    assert err == ""
