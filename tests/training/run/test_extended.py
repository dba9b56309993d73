"""Extending a finished run: by more steps alone; exact where nothing depends on the length."""

import dataclasses
import json

import chex
import pytest

from dlcourse import training
from dlcourse.errors import UsageError
from dlcourse.training.run.ends import Interrupted
from tests.kinds import KINDS
from tests.training.runs import At, rows, train

pytestmark = pytest.mark.usefixtures("without_curves", "shared_programs")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train("classifier", tmp_path_factory.mktemp("whole"))


def test_an_extended_run_is_one_that_was_as_long_from_the_start(whole, tmp_path):
    """Also where it is extended twice, and stopped in between."""
    for steps in (9, 12):
        train("classifier", tmp_path, steps=steps)
    extended = train("classifier", tmp_path)
    chex.assert_trees_all_equal(extended.state, whole.state)
    assert extended.summary["metrics"] == whole.summary["metrics"]
    assert extended.summary["steps"] == 23
    # What was measured at the earlier ends stays; the test split is measured at the last alone.
    earlier = [r for r in rows(tmp_path) if r["split"] == "validation" and r["step"] in (9, 12)]
    assert len(earlier) == 2
    assert [row for row in rows(tmp_path) if row not in earlier] == rows(whole.folder)
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["config"]["steps"] == 23
    lengths = [(each["trained"], each["steps"]) for each in written["extended"]]
    assert lengths == [(9, 9), (12, 12)]


def test_an_extended_run_that_is_stopped_goes_on(whole, tmp_path, monkeypatch):
    train("classifier", tmp_path, steps=12)
    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        train("classifier", tmp_path, At(patched, 17))
    assert not (tmp_path / "summary.json").exists()
    with pytest.raises(UsageError, match=r"steps was 23 and is 30(.|\n)*once it is finished"):
        train("classifier", tmp_path, steps=30)
    chex.assert_trees_all_equal(train("classifier", tmp_path).state, whole.state)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": 12}, "has trained 23 steps, and 12 are asked for"),
        ({"steps": None, "epochs": 0.1}, "has trained 23 steps, and 3 are asked for"),
        ({"steps": 30, "seed": 1}, "seed was 0 and is 1; steps was 23 and is 30"),
    ],
)
def test_a_run_is_not_shortened_or_changed(fields, message, whole):
    before = [(whole.folder / name).read_bytes() for name in ("config.json", "summary.json")]
    with pytest.raises(UsageError, match=message):
        train("classifier", whole.folder, **fields)
    longer = dataclasses.replace(whole.config, steps=30)
    with pytest.raises(UsageError, match="holds a run of 'classifier', not of 'other'"):
        training.run(KINDS["classifier"], longer, name="other", silent=True)
    after = [(whole.folder / name).read_bytes() for name in ("config.json", "summary.json")]
    assert before == after
