"""The promises of the loop, kept by every kind of learner."""

import dataclasses
import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data, learners, losses, models, optim, training
from dlcourse.errors import UsageError, UserError
from dlcourse.training.engine.feed import Resident
from dlcourse.training.engine.programs import without_optimizer
from dlcourse.training.run import loop
from dlcourse.training.run.interruption import Interruption
from dlcourse.training.run.loop import Interrupted
from tests.kinds import KINDS, Config


class At(Interruption):
    """A signal that comes when the loop has been given the batch of a step."""

    def __init__(self, monkeypatch, step: int) -> None:
        super().__init__()
        # One step a chunk, so that the loop can stop anywhere.
        monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
        given = Resident.training

        def training_until(feed, first, length):
            if first + length >= step:
                self.signal = "SIGTERM"
            return given(feed, first, length)

        monkeypatch.setattr(Resident, "training", training_until)


def train(kind, folder, interruption=None, **fields):
    config = Config(workdir=folder, **fields)
    return training.run(KINDS[kind](config), config, name=kind, interruption=interruption)


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module", params=KINDS)
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
    before = (expected.folder.path / "metrics.jsonl").read_bytes()
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    assert result.summary["metrics"] == expected.summary["metrics"]


def test_a_finished_run_started_again_only_reports(whole):
    kind, expected = whole
    before = (expected.folder.path / "metrics.jsonl").read_bytes()
    again = train(kind, expected.folder.path)
    chex.assert_trees_all_equal(again.state, expected.state)
    assert (expected.folder.path / "metrics.jsonl").read_bytes() == before


def test_streaming_gives_the_same_run(whole, tmp_path):
    kind, expected = whole
    if kind == "dqn":
        pytest.skip("its episodes are numbers, and there is nothing to stream")
    result = train(kind, tmp_path, stream=True)
    # Another program, so another order of rounding.
    chex.assert_trees_all_close(result.state, expected.state, rtol=1e-4, atol=1e-5)
    for streamed, resident in zip(rows(tmp_path), rows(expected.folder.path), strict=True):
        assert streamed.pop("split") == resident.pop("split")
        assert streamed == pytest.approx(resident, rel=1e-4, abs=1e-5)


def test_no_step_is_logged_twice(whole):
    _, expected = whole
    seen = [(row["step"], row["split"]) for row in rows(expected.folder.path)]
    assert len(seen) == len(set(seen))
    assert [step for step, split in seen if split == "train"] == [3, 6, 9, 12, 15, 18, 21, 23]
    assert [step for step, split in seen if split == "validation"] == [10, 20, 23]
    assert [step for step, split in seen if split == "test"] == [23]


def test_seeds_differ_and_repeat(tmp_path):
    runs = [train("classifier", tmp_path / str(i), seed=seed) for i, seed in enumerate((3, 3, 4))]
    chex.assert_trees_all_equal(runs[0].state, runs[1].state)
    kernels = [run.state.params["Dense_0"]["kernel"] for run in runs]
    assert not np.allclose(kernels[0], kernels[2])


def test_seeds_side_by_side_are_the_runs_they_stand_for(tmp_path):
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


def test_a_stopped_population_resumes_exactly(tmp_path, monkeypatch):
    expected = train("gan", tmp_path / "whole", seeds=2)
    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        train("gan", tmp_path / "stopped", At(patched, 8), seeds=2)
    result = train("gan", tmp_path / "stopped", seeds=2)
    chex.assert_trees_all_equal(result.state, expected.state)


def sgd(rate):
    return learners.supervised(models.MLP((17, 10)), losses.softmax_cross_entropy, optim.sgd(rate))


def test_a_population_of_rates_learns_what_each_would_alone(tmp_path):
    rates = np.array([0.01, 0.3], np.float32)
    config = Config(workdir=tmp_path / "both")
    digits = data.images("digits")
    together = training.run(
        training.Experiment(training.population(sgd, rates), digits), config, name="rates"
    )
    for member, rate in enumerate(rates):
        config = Config(workdir=tmp_path / str(member))
        alone = training.run(training.Experiment(sgd(float(rate)), digits), config, name="rate")
        state = jax.tree.map(lambda leaf, m=member: leaf[m], together.state)
        chex.assert_trees_all_close(state.params, alone.state.params, rtol=1e-3, atol=1e-5)


def test_the_best_state_goes_without_optimizers_however_deep_they_lie(key):
    learner = learners.together({"rate": training.population(sgd, np.array([0.1, 0.2]))})
    state = learner.init(key, {"image": jnp.ones((7, 8, 8, 1)), "label": jnp.arange(7)})
    assert state["rate"].learned.opt_state is not None
    judged = without_optimizer(state)
    assert judged["rate"].learned.opt_state is None
    chex.assert_trees_all_equal(judged["rate"].params, state["rate"].params)


@pytest.mark.parametrize("batch_size", [450, 7, 64])
def test_evaluation_counts_every_example_once(batch_size, tmp_path):
    """Whatever the batch size: the accuracy is the plain mean over the split."""
    digits = data.images("digits")
    model = models.MLP((10,))
    learner = learners.supervised(model, losses.softmax_cross_entropy, optim.sgd(0.1))
    config = Config(workdir=tmp_path, batch_size=batch_size, steps=3)
    result = training.run(training.Experiment(learner, digits), config, name="exact")
    for split in ("validation", "test"):
        batch = jax.tree.map(jnp.asarray, digits.read(digits.splits[split]))
        logits = model.apply({"params": result.state.params}, batch["image"])
        expected = float(np.mean(np.argmax(logits, -1) == batch["label"]))
        assert result.summary["metrics"][split]["accuracy"] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_result_can_be_measured_on_any_split(seeds, tmp_path):
    result = train("classifier", tmp_path, seeds=seeds)
    for metric in ("accuracy", "loss"):
        measured = np.reshape(result.measure("test")[metric], -1)
        np.testing.assert_allclose(measured, result.values("test", metric))
        steps, values = result.curve("validation", metric)
        assert steps.tolist() == [10, 20, 23]
        assert values.shape == (3, seeds)
        np.testing.assert_allclose(values[-1], result.values("validation", metric))
    digits = data.images("digits")
    batch = jax.tree.map(jnp.asarray, digits.read(digits.splits["train"]))
    accuracy = np.reshape(result.measure("train")["accuracy"], -1)
    model = models.MLP((17, 10))
    assert len(result.by_seed()) == seeds
    for state, expected in zip(result.by_seed(), accuracy, strict=True):
        logits = model.apply({"params": state.params}, batch["image"])
        assert np.mean(np.argmax(logits, -1) == batch["label"]) == pytest.approx(expected, abs=1e-6)


def test_early_stopping_keeps_the_best_weights(tmp_path):
    """A rate that overshoots in the end: the best validation row is not the last."""
    digits = data.images("digits")

    def experiment():
        model = models.MLP((10,))
        # The rate grows until training blows up.
        optimizer = optim.sgd(lambda step: 0.02 * 1.12**step)
        learner = learners.supervised(model, losses.softmax_cross_entropy, optimizer)
        return training.Experiment(learner, digits)

    config = Config(workdir=tmp_path / "stopped", steps=400, patience=3)
    result = training.run(experiment(), config, name="early")
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
    at_best = training.run(experiment(), shorter, name="early")
    chex.assert_trees_all_equal(result.state.params, at_best.state.params)


def test_early_stopping_survives_a_stop(tmp_path, monkeypatch):
    expected = train("classifier", tmp_path / "whole", patience=2, evaluate_every="2 steps")
    often = {"patience": 2, "evaluate_every": "2 steps"}
    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        train("classifier", tmp_path / "b", At(patched, 11), **often)
    result = train("classifier", tmp_path / "b", patience=2, evaluate_every="2 steps")
    chex.assert_trees_all_equal(result.state, expected.state)
    assert result.summary["best"] == expected.summary["best"]


def test_a_run_of_another_config_is_refused(tmp_path):
    train("classifier", tmp_path, steps=3)
    with pytest.raises(UsageError, match=r"batch_size was 40 and is 20; seed was 0 and is 1"):
        train("classifier", tmp_path, steps=3, seed=1, batch_size=20)
    # Where and how fast it is computed is another matter.
    train("classifier", tmp_path, steps=3, checkpoint_every="1 step")


def test_divergence_is_said_and_loses_nothing(tmp_path):
    digits = data.images("digits")

    def experiment(rate):
        learner = learners.supervised(
            models.MLP((10,)), losses.softmax_cross_entropy, optim.sgd(rate)
        )
        return training.Experiment(learner, digits)

    config = Config(workdir=tmp_path, steps=40)
    with pytest.raises(UserError, match="not a finite number at step"):
        training.run(
            experiment(lambda step: np.float32(0.1) * (step < 15) + (step >= 15) * np.inf),
            config,
            name="nan",
        )
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["14", "7"]
    assert not (tmp_path / "summary.json").exists()


def test_a_population_goes_on_while_one_member_lives(tmp_path):
    rates = np.array([0.1, np.inf], np.float32)
    config = Config(workdir=tmp_path)
    result = training.run(
        training.Experiment(training.population(sgd, rates), data.images("digits")),
        config,
        name="rates",
    )
    loss = result.summary["metrics"]["test"]["loss"]["values"]
    assert loss[0] > 0
    assert loss[1] is None


def test_the_training_program_is_compiled_once(tmp_path, caplog):
    with jax.log_compiles():
        train("classifier", tmp_path)
    compiled = [r for r in caplog.records if "Finished XLA compilation of jit(train)" in r.message]
    assert len(compiled) == 1


def test_a_transfer_to_the_device_inside_a_chunk_is_an_error(tmp_path, monkeypatch):
    training_chunk = Resident.training

    def on_the_host(self, step, length):
        return jax.device_get(training_chunk(self, step, length))

    monkeypatch.setattr(Resident, "training", on_the_host)
    with pytest.raises(jax.errors.JaxRuntimeError, match="Disallowed host-to-device transfer"):
        train("classifier", tmp_path)


def test_what_a_run_leaves_behind(whole):
    kind, result = whole
    folder = result.folder.path
    config = json.loads((folder / "config.json").read_text())
    assert config["experiment"] == kind
    assert config["config"]["steps"] == 23
    assert {"jax", "flax", "optax"} <= set(config["versions"])
    assert config["devices"]["count"] == jax.device_count()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["metrics"] == result.summary["metrics"]
    assert set(summary) == {
        "experiment", "parameters", "steps", "seconds", "start_seconds", "compile_seconds",
        "examples_per_second", "metrics", "best",
    }  # fmt: skip
    assert set(summary["metrics"]) == {"train", "validation", "test"}
    assert (folder / "figures" / "curves.png").stat().st_size > 1000
    assert (folder / "checkpoints" / "23").is_dir()


def test_tensorboard_events_are_the_metrics(whole):
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401  (the format it wrote)

    _, result = whole
    (file,) = result.folder.path.glob("events.out.tfevents.*")
    content, events = file.read_bytes(), []
    while content:  # length, its checksum, the event, its checksum
        size = int.from_bytes(content[:8], "little")
        events.append(Event.FromString(content[12 : 12 + size]))
        content = content[12 + size + 4 :]
    written = {(v.tag, e.step): v.simple_value for e in events for v in e.summary.value if v.tag}
    for row in rows(result.folder.path):
        for name, value in row.items():
            if name not in ("step", "split"):
                tag = f"{row['split']}/{name}"
                assert written.pop((tag, row["step"])) == pytest.approx(value, rel=1e-6)
    assert not written
