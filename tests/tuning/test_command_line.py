"""`python -m dlcourse.tuning`, and experiment files that compare searches."""

import dataclasses
import json
import pathlib
import shlex
import sys

import pytest

from dlcourse import tuning
from dlcourse.training import __main__ as training_command
from dlcourse.training.commands import process
from dlcourse.training.commands.parse import load_experiment, parse
from dlcourse.training.run.ends import Interrupted
from dlcourse.tuning import __main__ as tuning_command
from dlcourse.tuning.compare import run_searches
from tests import ROOT
from tests.tuning.points import Config, experiment
from tests.tuning.test_search import After

MLP = ROOT / "experiments" / "foundations" / "mnist_mlp.py"

# Small, and a comparison: `python -m dlcourse.tuning` searches one row of it.
COMPARISON = """
import dataclasses

from dlcourse import training
from tests.tuning import points


@dataclasses.dataclass(frozen=True)
class Config(points.Config):
    '''A comparison of near and far starts.'''

    far: bool = False
    '''Whether the start is far; both are compared.'''


def experiment(config):
    return points.experiment(dataclasses.replace(config, start=50 if config.far else 2))


def variants(config):
    return {str(far): dataclasses.replace(config, far=far) for far in (False, True)}


if __name__ == "__main__":
    training.main(experiment, Config, variants)
"""


def run(monkeypatch, main, *args):
    """The exit status of a command."""
    monkeypatch.setattr(sys, "argv", ["program", *map(str, args)])
    # The settings of a whole process, which is that of all tests here.
    monkeypatch.setattr(process, "prepare_process", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        sys.exit(main())
    return ended.value.code or 0


@pytest.fixture
def comparison(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "comparison.py"
    file.write_text(COMPARISON)
    return file


def test_a_row_of_a_comparison_is_searched_by_naming_its_options(
    comparison, monkeypatch, capsys, drawing
):
    args = [
        comparison, "--search", "learning_rate=log:1e-2:1e-1", "noise=0/0.3",
        "--trials", 6, "--metric", "min loss", "--", "--far", "--steps", 3,
    ]  # fmt: skip
    assert run(monkeypatch, tuning_command.main, *args) == 0
    printed = capsys.readouterr().out
    (folder,) = pathlib.Path("runs/tuning/comparison").iterdir()
    saved = json.loads((folder / "results.json").read_text())
    assert (saved["config"]["far"], saved["config"]["steps"]) == (True, 3)
    assert len(saved["trials"]) == 6
    assert saved["best"]["value"] == min(trial["value"] for trial in saved["trials"])
    assert sorted(p.name for p in (folder / "figures").iterdir()) == [
        "importance.png",
        "parallel_coordinates.png",
    ]
    # The command names the experiment, its flags and the best values, and it parses.
    assert saved["best"]["command"] in printed
    python, path, *flags = shlex.split(saved["best"]["command"])
    assert python == "python"
    parsed = parse(load_experiment(pathlib.Path(path)).Config, flags, "comparison.py")
    assert (parsed.far, parsed.steps) == (True, 3)
    assert {name: getattr(parsed, name) for name in ("learning_rate", "noise")} == (
        saved["best"]["values"]
    )
    # The same command finds the same study, and nothing is left to do.
    journal = (folder / "journal.log").read_bytes()
    assert run(monkeypatch, tuning_command.main, *args) == 0
    assert (folder / "journal.log").read_bytes() == journal


def test_the_folder_of_a_trial_is_evaluated_by_its_path(comparison, monkeypatch, capsys):
    """Also on the test split, which the search has not measured."""
    args = [
        comparison, "--search", "noise=0/0.3", "--method", "grid", "--trials", 2,
        "--side-by-side", 1, "--workdir", "study", "--", "--far", "--patience", 9,
    ]  # fmt: skip
    assert run(monkeypatch, tuning_command.main, *args) == 0
    printed = capsys.readouterr().out
    results = json.loads(pathlib.Path("study/results.json").read_text())
    for trial in results["trials"]:
        folder = pathlib.Path("study") / trial["run"]
        assert [step.name for step in (folder / "checkpoints").glob("*")] == ["4"]
        assert run(monkeypatch, training_command.main, "evaluate", folder) == 0
        found = json.loads(capsys.readouterr().out)["metrics"]
        assert found["validation"]["loss"] == pytest.approx(trial["value"], rel=1e-6)
        assert found.keys() == {"validation", "test"}
    (line,) = [line for line in printed.splitlines() if "evaluate" in line and "-m" in line]
    assert line.split()[-1] == f"study/{results['best']['run']}"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([MLP, "--search", "learning_rat=0:1"], "'learning_rat'"),
        (["nothing.py", "--search", "x=0:1"], "no experiment file nothing.py"),
        ([ROOT / "tests" / "__init__.py", "--search", "x=0:1"], "defines no Config"),
        ([MLP], "--search"),
        ([MLP, "--search", "dropout=0:1", "--trials", 0], "--trials must be at least 1"),
        ([MLP, "--search", "dropout=0:1", "--trials", 10**9], "--trials must be at most 10000"),
        ([MLP, "--search", "dropout=0:1", "--seed", 2**64], "--seed must be at most 2147483647"),
        ([MLP, "--search", "dropout=0:2"], "dropout cannot be 2.0: dropout must be at most 1"),
        ([MLP, "--search", "learning_rate=-1:1"], "learning_rate cannot be -1.0"),
        ([MLP, "--search", "ema=0.9:1"], "ema cannot be 1.0: ema must be below 1"),
        ([MLP, "--search", "patience=0:3"], "patience cannot be 0"),
        ([MLP, "--search", "hidden=0/8"], "hidden must be at least 1"),
        ([MLP, "--search", "evaluate_every=0%/5%"], "evaluate_every is '0%'"),
        ([MLP, "--search", "batch_size=16:32", "--", "--accumulate", 4], "batch_size cannot be 17"),
        ([MLP, "--search", "hidden=7/a"], "hidden"),
        ([MLP, "--search", "dropout=0:1", "--", "--epoch", 3], "--epochs"),
    ],
)
def test_a_wrong_command_line_is_said_and_exits_with_2(args, message, monkeypatch, capsys):
    assert run(monkeypatch, tuning_command.main, *args) == 2
    assert message in " ".join(capsys.readouterr().err.split())


# Experiment files that compare searches


SPACE = {"learning_rate": tuning.LogUniform(0.01, 0.5)}


def searches(config):
    return {
        "random": tuning.Search(SPACE, trials=3),
        "grid": tuning.Search(SPACE, method="grid", trials=2),
    }


@dataclasses.dataclass(frozen=True)
class Report:
    best: dict

    def save(self, folder):
        (folder / "report.json").write_text(json.dumps(self.best))


def report(studies):
    assert studies.config.steps == 4
    return Report({name: study.best.value for name, study in studies.items()})


def test_searches_are_compared_and_go_on_where_they_were_stopped(tmp_path, monkeypatch, capsys):
    config = Config(workdir=tmp_path, steps=4)
    message = rf"grid: Stopped by SIGTERM.*--workdir {tmp_path} resumes it"
    with pytest.raises(Interrupted, match=message):
        run_searches(experiment, searches(config), config, name="points", interruption=After(6))
    assert (tmp_path / "random" / "results.json").exists()
    assert not (tmp_path / "grid" / "results.json").exists()
    capsys.readouterr()
    status = run(
        monkeypatch, lambda: tuning.main(experiment, Config, searches, report),
        "--workdir", tmp_path, "--steps", 4,
    )  # fmt: skip
    assert status == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0] for line in out] == ["random: 3 trials", "grid: 2 trials"]
    best = json.loads((tmp_path / "report.json").read_text())
    for name in ("random", "grid"):
        trials = json.loads((tmp_path / name / "results.json").read_text())["trials"]
        assert best[name] == min(trial["value"] for trial in trials)


def test_a_file_that_compares_searches_is_described_without_training(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)

    def main():
        tuning.main(experiment, Config, searches, report)

    assert run(monkeypatch, main, "--dry-run") == 0
    assert "A step takes" in capsys.readouterr().out
    assert not [*tmp_path.iterdir()]
    assert run(monkeypatch, main, "--replay", 3) == 2
    assert "replay needs the run's workdir" in capsys.readouterr().err


def test_a_comparison_without_searches_is_refused(monkeypatch, capsys):
    def main():
        tuning.main(experiment, Config, lambda config: {}, report)

    assert run(monkeypatch, main) == 2
    assert "points has nothing to compare" in capsys.readouterr().err
