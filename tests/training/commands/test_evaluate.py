"""A run opened again from its folder alone: evaluated, loaded, replayed, described in advance."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from dlcourse import training
from dlcourse.errors import UsageError, UserError
from dlcourse.training.commands import evaluate, parse
from dlcourse.training.commands.replay import replay
from tests.kinds import KINDS, Config
from tests.training.commands import calls
from tests.training.commands.calls import MLP, alone, run

pytestmark = pytest.mark.usefixtures("without_curves")

SHORT = ["--hidden", "8", "--steps", "12", "--checkpoint-every", "5 steps", "--no-progress"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, without_curves):
    place = tmp_path_factory.mktemp("again")
    assert run(*SHORT, "--log-every", "1 step", "--workdir", "run", cwd=place).returncode == 0
    return place / "run"


def test_a_checkpoint_is_evaluated_by_its_path_alone(folder, tmp_path):
    """On other devices too; the run folder stays as it was."""
    before = {f: f.stat().st_mtime_ns for f in folder.rglob("*") if f.is_file()}
    done = alone(
        "-m", "dlcourse.training", "evaluate", folder, "--figures", "figures", cwd=tmp_path,
        env={"JAX_NUM_CPU_DEVICES": "2"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["step"] == 12
    summary = json.loads((folder / "summary.json").read_text())
    for split in ("validation", "test"):
        assert found["metrics"][split] == pytest.approx(summary["metrics"][split], rel=1e-5)
    assert (tmp_path / "figures" / "confusion.png").exists()
    assert before == {f: f.stat().st_mtime_ns for f in folder.rglob("*") if f.is_file()}


@pytest.fixture
def counted(monkeypatch):
    """Counts how often experiment files make their experiment."""
    calls = []
    load = parse.load_experiment

    def loaded(path):
        module = load(path)
        make = module.experiment
        module.experiment = lambda config: calls.append(path) or make(config)
        return module

    monkeypatch.setattr(evaluate, "load_experiment", loaded)
    return calls


def compiled(caplog):
    return [r.message for r in caplog.records if "Finished XLA compilation" in r.message]


def test_evaluation_compiles_no_training_and_builds_the_experiment_once(
    folder, tmp_path, counted, caplog
):
    with jax.log_compiles():
        done = calls.training("evaluate", folder, "--figures", "figures", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(counted) == 1
    assert any("jit(_evaluate)" in text for text in compiled(caplog))
    assert not any("jit(_train)" in text or "jit(_init)" in text for text in compiled(caplog))


def test_a_run_is_loaded_from_its_folder(folder, counted, caplog):
    """In three lines: the weights, the metrics, and the model on arrays of one's own."""
    with jax.log_compiles():
        loaded = training.load(folder)
    assert not any("jit(_" in text for text in compiled(caplog))
    summary = json.loads((folder / "summary.json").read_text())
    assert loaded.summary == summary
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row for row in loaded.rows if row["split"] != "test"] == [
        row for row in rows if row["split"] != "test"
    ]
    digits = loaded.experiment.data
    test = digits.read(digits.splits["test"])
    logits = loaded.apply({"image": test["image"]})
    accuracy = np.mean(np.argmax(logits, -1) == test["label"])
    assert accuracy == pytest.approx(summary["metrics"]["test"]["accuracy"], abs=1e-6)
    assert len(counted) == 1  # the experiment is made once, for the shapes and to compute


def test_a_run_that_is_not_finished_is_not_loaded(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(UserError, match=r"is not finished: it has no summary\.json"):
        training.load(tmp_path)
    with pytest.raises(UserError, match=r"is not a run folder: it has no config\.json"):
        training.load(tmp_path / "nothing")


def test_a_damaged_summary_is_named(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "run")
    (copy / "summary.json").write_text('{"steps": 12, "met')
    with pytest.raises(UserError, match=r"summary\.json is damaged"):
        training.load(copy)


def test_a_step_that_was_never_saved(folder, tmp_path):
    done = calls.training("evaluate", folder, "--step", "7", cwd=tmp_path)
    assert done.returncode == 1
    assert "checkpoints/7 is incomplete" in done.stderr


def test_a_run_of_another_experiment_is_not_evaluated(folder, tmp_path):
    other = MLP.parents[1] / "vision" / "digits_cnn.py"
    done = calls.training("evaluate", folder, "--experiment", other, cwd=tmp_path)
    assert done.returncode == 2
    assert "digits_cnn.py is another experiment" in done.stderr


def test_nothing_in_a_run_folder_is_executed(folder, tmp_path):
    copy = tmp_path / "run"
    copy.mkdir()
    config = json.loads((folder / "config.json").read_text())
    evil = copy / "evil.py"
    evil.write_text("raise SystemExit('executed')")
    (copy / "config.json").write_text(json.dumps(config | {"file": str(evil)}))
    done = calls.training("evaluate", copy, cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing in a run folder is executed" in " ".join(done.stderr.split())


def test_a_replayed_step_repeats_the_original(folder, tmp_path):
    done = calls.training("replay", folder, "--step", "12", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    logged = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    (row,) = [row for row in logged if row["split"] == "train" and row["step"] == 12]
    assert "From step 10 to step 11" in done.stdout
    said = dict(line.split(" of step 12: ") for line in done.stdout.splitlines() if " of " in line)
    assert float(said["loss"]) == pytest.approx(row["loss"], rel=1e-6)
    assert "Not finite after step 12: nothing" in done.stdout


PLANTED = """
import dataclasses, sys
import jax.numpy as jnp
sys.path.insert(0, {experiments!r})
import mnist_mlp
from dlcourse import training
from mnist_mlp import Config

def experiment(config):
    \"\"\"One image of step 9 is not finite.\"\"\"
    whole = mnist_mlp.experiment(config)
    damaged = int(whole.data.batch_indices(8, 1, config.batch_size, config.seed)[0, 5])

    def prepare(batch):
        batch = whole.data.prepare(batch)
        at = (batch["index"] == damaged)[:, None, None, None]
        return batch | {{"image": jnp.where(at, jnp.nan, batch["image"])}}

    return dataclasses.replace(whole, data=dataclasses.replace(whole.data, prepare=prepare))

if __name__ == "__main__":
    training.main(experiment, Config)
"""


def test_a_divergence_can_be_replayed(tmp_path):
    """Also after the same command was given again, and with a single checkpoint kept."""
    script = tmp_path / "planted.py"
    script.write_text(PLANTED.format(experiments=str(MLP.parent)))
    options = ["--hidden", "8", "--steps", "12", "--checkpoint-every", "4 steps", "--keep", "1",
               "--log-every", "1 step", "--no-progress", "--workdir", "run"]  # fmt: skip
    for _ in range(2):
        done = run(*options, script=script, cwd=tmp_path)
        assert done.returncode == 1
        assert "not a finite number at step 9" in done.stderr
        record = json.loads((tmp_path / "run" / "diverged.json").read_text())
        assert (record["step"], record["checkpoint"]) == (9, 8)
        assert "replay run --step 9" in done.stderr
    before = {f: f.stat().st_mtime_ns for f in tmp_path.glob("run/**/*") if f.is_file()}

    again = calls.training("replay", "run", "--step", 9, cwd=tmp_path).stdout
    assert "From step 8 to step 8\nNot finite before step 9: nothing" in again
    assert f"Examples of step 9: {json.dumps(record['examples'])}" in again
    assert "loss of step 9: nan" in again
    assert "Not finite after step 9: params/" in again
    # The same from the experiment's own command line.
    asked = run(*options, "--replay", 9, script=script, cwd=tmp_path)
    assert asked.returncode == 0
    assert asked.stdout == again

    # Of a step whose checkpoint is gone the run is done again from its beginning.
    asked = run(*options, "--replay", 8, script=script, cwd=tmp_path)
    logged = [json.loads(row) for row in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    (row,) = [row for row in logged if row["split"] == "train" and row["step"] == 8]
    said = dict(line.split(" of step 8: ") for line in asked.stdout.splitlines() if " of " in line)
    assert "From step 0 to step 7" in asked.stdout
    assert float(said["loss"]) == pytest.approx(row["loss"], rel=1e-6)
    assert before == {f: f.stat().st_mtime_ns for f in tmp_path.glob("run/**/*") if f.is_file()}


def test_a_replay_needs_the_run_it_belongs_to(tmp_path):
    config = Config(workdir=tmp_path / "run", steps=5)

    def again(step, **fields):
        replay(KINDS["classifier"], dataclasses.replace(config, **fields), "classifier", step)

    with pytest.raises(UserError, match="is not a run folder"):
        again(3)
    assert not (tmp_path / "run").exists()
    training.run(KINDS["classifier"], config, name="classifier", silent=True)
    with pytest.raises(UsageError, match="seed was 0 and is 1"):
        again(3, seed=1)
    with pytest.raises(UsageError, match="the steps 1 to 5; there is no step 6"):
        again(6)
    again(3)

    done = run(*SHORT, "--replay", 3, cwd=tmp_path)
    assert done.returncode == 2
    assert "replay needs the run's workdir" in done.stderr


def test_a_dry_run_describes_and_leaves_nothing(tmp_path):
    done = alone(
        MLP, "--hidden", "8", "--batch-size", "32", "--mesh", "data=2,fsdp=2", "--dry-run",
        cwd=tmp_path, env={"JAX_NUM_CPU_DEVICES": "4"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    # 64 inputs in halves, 8 outputs whole, 4 bytes each.
    assert lines["params/Dense_0/kernel"].endswith(f"{64 // 2 * 8 * 4:,}")
    assert "('fsdp', 'tensor')" in lines["params/Dense_0/kernel"]
    assert "copied" in lines["params/Dense_0/bias"]
    assert "all-reduce" in lines["Collectives"]
    assert "params/Dense_0/bias" in lines["No"]
    assert "FLOPs" in lines["A"]
    assert not list(tmp_path.iterdir())


def test_a_saved_config_beyond_the_limits_is_refused():
    """Of a run from before the limits, or edited since."""
    with pytest.raises(UserError, match="refuses that of the run: batch_size must be at least 1"):
        evaluate.from_json(Config, {"batch_size": 0})
