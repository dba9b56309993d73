"""The promises of a run, kept by every kind of learner."""

import json

import chex
import jax
import pytest

from dlcourse.training.run.ends import Interrupted
from tests.kinds import each_kind
from tests.training.runs import At, events, rows, train

pytestmark = pytest.mark.usefixtures("without_curves", "shared_programs")


@pytest.fixture(scope="module", params=each_kind())
def whole(request, tmp_path_factory):
    """A run that was never stopped."""
    return request.param, train(request.param, tmp_path_factory.mktemp("whole"))


# Within a window of logged metrics; at a save; at an evaluation.
@pytest.mark.parametrize("step", [5, 14, 20])
def test_a_stopped_run_ends_as_if_it_had_not_stopped(whole, step, tmp_path, monkeypatch):
    kind, expected = whole
    with monkeypatch.context() as patched, pytest.raises(Interrupted, match=f"step {step}/23"):
        train(kind, tmp_path, At(patched, step))
    result = train(kind, tmp_path)
    # Bit for bit: weights, model state, optimizer, and every line that was logged.
    chex.assert_trees_all_equal(result.state, expected.state)
    before = (expected.folder / "metrics.jsonl").read_bytes()
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    assert result.summary["metrics"] == expected.summary["metrics"]


def test_a_finished_run_started_again_only_reports(whole):
    kind, expected = whole
    before = (expected.folder / "metrics.jsonl").read_bytes()
    again = train(kind, expected.folder)
    chex.assert_trees_all_equal(again.state, expected.state)
    assert (expected.folder / "metrics.jsonl").read_bytes() == before


def test_streaming_gives_the_same_run(whole, tmp_path):
    kind, expected = whole
    if kind in ("dqn", "ppo"):
        pytest.skip("its episodes are numbers, and there is nothing to stream")
    result = train(kind, tmp_path, stream=True)
    # Another program, so another order of rounding.
    chex.assert_trees_all_close(result.state, expected.state, rtol=1e-4, atol=1e-5)
    for streamed, resident in zip(rows(tmp_path), rows(expected.folder), strict=True):
        assert streamed.pop("split") == resident.pop("split")
        assert streamed == pytest.approx(resident, rel=1e-4, abs=1e-5)


def test_no_step_is_logged_twice(whole):
    _, expected = whole
    seen = [(row["step"], row["split"]) for row in rows(expected.folder)]
    assert len(seen) == len(set(seen))
    assert [step for step, split in seen if split == "train"] == [3, 6, 9, 12, 15, 18, 21, 23]
    assert [step for step, split in seen if split == "validation"] == [10, 20, 23]
    assert [step for step, split in seen if split == "test"] == [23]


def test_tensorboard_events_are_the_metrics(whole):
    _, result = whole
    written = events(result.folder)
    for row in rows(result.folder):
        for name, value in row.items():
            if name not in ("step", "split"):
                tag = f"{row['split']}/{name}"
                assert written.pop((tag, row["step"])) == pytest.approx(value, rel=1e-6)
    assert not written


def test_what_a_run_leaves_behind(whole):
    kind, result = whole
    folder = result.folder
    config = json.loads((folder / "config.json").read_text())
    assert config["experiment"] == kind
    assert config["config"]["steps"] == 23
    assert {"jax", "flax", "optax"} <= set(config["versions"])
    assert config["devices"]["count"] == jax.device_count()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["metrics"] == result.summary["metrics"]
    assert set(summary) == {
        "experiment", "parameters", "steps", "seconds", "start_seconds", "compile_seconds",
        "examples_per_second", "time", "metrics", "diverged_seeds",
        "best",
    }  # fmt: skip
    assert set(summary["metrics"]) == {"train", "validation", "test"}
    assert (folder / "checkpoints" / "23").is_dir()
