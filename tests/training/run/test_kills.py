"""Runs that are killed at random, and changed checkpoints: a few of what `tests.kills` counts."""

import json

import pytest

from tests import ROOT
from tests.training.commands.calls import alone

KINDS = ("classifier", "deep Q-learning", "patience", "comparison")


@pytest.mark.long
def test_killed_runs_end_as_if_left_alone_and_changed_checkpoints_are_noticed(tmp_path):
    done = alone(
        "-m", "tests.kills", "--kills", 40, "--corruptions", 20, "--out", tmp_path / "kills",
        "--kinds", *KINDS, cwd=ROOT, timeout=290,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    record = json.loads((tmp_path / "kills" / "record.json").read_text())
    assert record["kills"]["total"] >= 40
    assert sum(record["corruptions"]["outcomes"].values()) == 2 * 20
