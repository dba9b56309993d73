"""Every experiment file, through its own command line, in a short form."""

import json
import subprocess
import sys

import pytest

from tests import ROOT

EXPERIMENTS = sorted((ROOT / "experiments").glob("*/*.py"))


@pytest.mark.experiments
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_runs(path, tmp_path):
    short = ["--steps", "2", "--seeds", "1", "--no-progress", "--workdir", "run"]
    done = subprocess.run(
        [sys.executable, path, *short], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "could not be drawn" not in done.stderr
    summaries = list((tmp_path / "run").rglob("summary.json"))
    assert summaries
    for summary in summaries:
        assert json.loads(summary.read_text())["steps"] == 2
    pictures = [*(tmp_path / "run").rglob("*.png")]
    assert pictures
    # A docstring opens each: what it is, where it is from, how to run it.
    docstring = path.read_text().split('"""')[1]
    assert f"python experiments/{path.parent.name}/{path.name}" in docstring
