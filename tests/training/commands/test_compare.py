"""Comparisons: each row is an ordinary run, and all commands work on it."""

import dataclasses
import gc
import json
import re

import chex
import jax
import pytest

from dlcourse import training
from dlcourse.errors import UsageError
from dlcourse.training.run.ends import Interrupted
from tests.kinds import Config, classifier, digits
from tests.training.commands.calls import run
from tests.training.commands.calls import training as command
from tests.training.runs import At

COMPARISON = '''
"""Softmax regression at several rates."""

import dataclasses

from dlcourse import data, learners, losses, models, optim, training


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """Softmax regression at several rates."""

    rate: float = 0.1
    """The learning rate."""
    steps: int | None = 6
    batch_size: int = 32
    checkpoint_every: str = "3 steps"
    log_every: str = "1 step"


def experiment(config):
    learner = learners.supervised(
        models.MLP((10,)), losses.softmax_cross_entropy, config.rule_of(optim.sgd(config.rate))
    )
    return training.Experiment(learner, data.images("digits"))


def variants(config):
    rates = {"slow": 0.01, "wild": 1e38, "fast": 0.2}
    return {name: dataclasses.replace(config, rate=rate) for name, rate in rates.items()}


class Report:
    def __init__(self, runs):
        self.rows = {name: row.summary["steps"] for name, row in runs.items()}

    def save(self, folder):
        (folder / "report.txt").write_text(f"{self.rows}")


if __name__ == "__main__":
    training.main(experiment, Config, variants, Report)
'''


def rows_of(config):
    return {
        "one": dataclasses.replace(config, seed=1),
        "two": dataclasses.replace(config, seed=2),
    }


def test_a_stopped_comparison_resumes_in_the_folder_it_names(tmp_path, monkeypatch, without_curves):
    config = Config(workdir=tmp_path, progress=False)
    message = f"one: .*step 14/23.*--workdir {tmp_path} resumes it"
    with monkeypatch.context() as patched, pytest.raises(Interrupted, match=message):
        training.run_rows(
            classifier, rows_of(config), config, name="several", interruption=At(patched, 14)
        )
    assert not (tmp_path / "two").exists()
    runs = training.run_rows(classifier, rows_of(config), config, name="several")
    assert runs.folder == tmp_path
    assert list(runs) == ["one", "two"]
    assert not runs.diverged
    for name, row in runs.items():
        assert row.folder == tmp_path / name
        assert row.summary["experiment"] == f"several/{name}"
        inside = Config(workdir=tmp_path / "alone" / name, seed=row.config.seed)
        alone = training.run(classifier, inside, name=name, silent=True)
        chex.assert_trees_all_equal(row.state, alone.state)
        assert row.rows == alone.rows
    values = runs.final("test", "accuracy")
    assert values["one"].tolist() == [runs["one"].summary["metrics"]["test"]["accuracy"]]


def test_finished_rows_leave_nothing_on_the_device(tmp_path, without_curves):
    """Neither data, nor states, nor programs: the rows of a comparison are many."""
    digits()
    gc.collect()
    before = {id(array) for array in jax.live_arrays()}
    config = Config(workdir=tmp_path, steps=3)
    runs = training.run_rows(classifier, rows_of(config), config, name="several")
    gc.collect()
    left = [array.shape for array in jax.live_arrays() if id(array) not in before]
    assert not left
    # What a report computes with a finished run is its own affair, and goes too.
    runs["one"].apply({"image": digits().examples["image"][:3]})


def test_a_comparison_of_nothing_is_refused(tmp_path):
    with pytest.raises(UsageError, match="several has nothing to compare"):
        training.run_rows(classifier, {}, Config(workdir=tmp_path), name="several")


@pytest.fixture(scope="module")
def compared(tmp_path_factory, without_curves):
    """A comparison through its command line, one of whose rows diverges."""
    place = tmp_path_factory.mktemp("compared")
    script = place / "rates.py"
    script.write_text(COMPARISON)
    done = run("--no-progress", "--workdir", "run", script=script, cwd=place)
    return script, place / "run", done


def test_a_row_that_diverges_is_named_and_the_others_finish(compared):
    _, folder, done = compared
    assert done.returncode == 1
    assert "error: 1 of 3 rows diverged: wild.\nWhat is finished is in run." in done.stderr
    assert (folder / "report.txt").read_text() == "{'slow': 6, 'fast': 6}"
    for row in ("slow", "fast"):
        assert json.loads((folder / row / "summary.json").read_text())["steps"] == 6
    diverged = json.loads((folder / "wild" / "diverged.json").read_text())
    assert diverged["step"] > 1
    assert not (folder / "wild" / "summary.json").exists()


def test_finished_rows_only_report_when_started_again(compared):
    script, folder, first = compared
    before = (folder / "slow" / "metrics.jsonl").read_bytes()
    (folder / "report.txt").unlink()
    done = run("--no-progress", "--workdir", "run", script=script, cwd=script.parent)
    assert (done.returncode, done.stderr) == (1, first.stderr)
    assert done.stdout.count("Resuming from step 6") == 2
    assert (folder / "slow" / "metrics.jsonl").read_bytes() == before
    assert (folder / "report.txt").exists()


def test_a_row_is_resumed_and_replayed_by_naming_its_options(compared):
    """In the folder that the comparison gave it; its report is of the row alone."""
    script, folder, _ = compared
    named = ["--rate", "0.2", "--no-progress", "--workdir", "run/fast"]
    done = run(*named, script=script, cwd=script.parent)
    assert done.returncode == 0, done.stderr
    assert "Resuming from step 6 of run/fast" in done.stdout
    assert (folder / "fast" / "report.txt").read_text() == "{'fast': 6}"
    done = run(*named, "--replay", 5, script=script, cwd=script.parent)
    assert done.returncode == 0, done.stderr
    assert "From step 3 to step 4" in done.stdout
    logged = [json.loads(line) for line in (folder / "fast/metrics.jsonl").read_text().splitlines()]
    (row,) = [row for row in logged if (row["split"], row["step"]) == ("train", 5)]
    (said,) = re.findall("^loss of step 5: (.*)$", done.stdout, re.MULTILINE)
    assert float(said) == pytest.approx(row["loss"], rel=1e-6)


def test_a_row_is_evaluated_by_its_folder(compared, tmp_path):
    _, folder, _ = compared
    done = command("evaluate", folder / "fast", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((folder / "fast" / "summary.json").read_text())
    found = json.loads(done.stdout)["metrics"]["test"]
    assert found == pytest.approx(summary["metrics"]["test"], rel=1e-6)


def test_a_dry_run_describes_every_row_or_the_one_that_is_named(compared, tmp_path):
    script, _, _ = compared
    done = run("--dry-run", script=script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.findall("^(slow|wild|fast):$", done.stdout, re.MULTILINE) == ["slow", "wild", "fast"]
    assert done.stdout.count("FLOPs a device") == 3
    done = run("--dry-run", "--rate", "0.3", script=script, cwd=tmp_path)
    assert done.stdout.count("FLOPs a device") == 1
    assert not list(tmp_path.iterdir())


def selecting(tmp_path):
    """The comparison with an option that chooses its rows."""
    path = tmp_path / "selecting.py"
    text = COMPARISON.replace(
        '    """The learning rate."""\n',
        '    """The learning rate."""\n    rates: tuple[float, ...] = (0.1, 0.2)\n'
        '    """Which rates are compared."""\n    selects = frozenset({"rates"})\n',
    )
    i, j = text.index("def variants"), text.index("class Report")
    rows = "{str(rate): dataclasses.replace(config, rate=rate) for rate in config.rates}"
    path.write_text(f"{text[:i]}def variants(config):\n    return {rows}\n\n\n{text[j:]}")
    return path


def test_a_choice_of_no_rows_is_refused(tmp_path):
    done = run("--rates", cwd=tmp_path, script=selecting(tmp_path))
    assert done.returncode == 2
    assert "rates needs at least one value" in done.stderr


def test_a_named_row_beside_one_chosen_row_is_trained_alone(tmp_path, without_curves):
    args = ["--rates", "0.2", "--rate", "0.3", "--steps", "2", "--workdir", "run"]
    done = run(*args, "--no-progress", cwd=tmp_path, script=selecting(tmp_path))
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "run" / "config.json").read_text())
    assert written["config"]["rate"] == 0.3
