"""The training loop: exact evaluation, divergence, and what it does on the device."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import learners, losses, models, optim, training
from dlcourse.errors import UserError
from dlcourse.learner import Rule
from dlcourse.training.engine.feed import Resident
from dlcourse.training.run.ends import Diverged
from tests.kinds import Config, digits
from tests.training.runs import train

pytestmark = pytest.mark.usefixtures("without_curves")


@pytest.mark.parametrize("batch_size", [450, 7, 64])
def test_evaluation_counts_every_example_once(batch_size, tmp_path):
    """Whatever the batch size: the accuracy is the plain mean over the split."""
    model = models.MLP((10,))
    learner = learners.supervised(model, losses.softmax_cross_entropy, Rule(optim.sgd(0.1)))
    config = Config(workdir=tmp_path, batch_size=batch_size, steps=3)
    result = training.run(training.Experiment(learner, digits()), config, name="exact")
    for split in ("validation", "test"):
        batch = jax.tree.map(jnp.asarray, digits().read(digits().splits[split]))
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
    batch = jax.tree.map(jnp.asarray, digits().read(digits().splits["train"]))
    accuracy = np.reshape(result.measure("train")["accuracy"], -1)
    model = models.MLP((17, 10))
    assert len(result.by_seed()) == seeds
    for state, expected in zip(result.by_seed(), accuracy, strict=True):
        logits = model.apply({"params": state.params}, batch["image"])
        assert np.mean(np.argmax(logits, -1) == batch["label"]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("decay", [0.9, 0.999])
def test_averaged_weights_cost_no_accuracy_in_a_short_run(decay, tmp_path):
    """Without a warm-up of its decay, the average would still be near the first weights."""
    whole = {"steps": None, "epochs": 10.0, "seeds": 3} | dict.fromkeys(
        ("evaluate_every", "checkpoint_every", "log_every"), "100%"
    )
    last = train("classifier", tmp_path / "last", **whole)
    averaged = train("classifier", tmp_path / "averaged", ema=decay, **whole)
    for split in ("validation", "test"):
        accuracies = [np.mean(run.values(split, "accuracy")) for run in (last, averaged)]
        assert accuracies[1] >= accuracies[0] - 0.005


def test_a_divergence_is_reported_and_keeps_the_checkpoints(tmp_path):

    def experiment(rate):
        learner = learners.supervised(
            models.MLP((10,)), losses.softmax_cross_entropy, Rule(optim.sgd(rate))
        )
        return training.Experiment(learner, digits())

    config = Config(workdir=tmp_path, steps=40)
    with pytest.raises(UserError, match="not a finite number at step"):
        training.run(
            experiment(lambda step: np.float32(0.1) * (step < 15) + (step >= 15) * np.inf),
            config,
            name="nan",
        )
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["14", "7"]
    assert not (tmp_path / "summary.json").exists()


def softmax_regression(rate, **options):
    rule = Rule(optim.sgd(rate))
    return learners.supervised(models.MLP((10,)), losses.softmax_cross_entropy, rule, **options)


def explodes_at(step):
    """A learning rate that is infinite from a step on."""
    return lambda now: jnp.where(now < step, 0.1, jnp.inf)


def side_by_side(folder, **by_name):
    learner = learners.side_by_side({n: softmax_regression(rate) for n, rate in by_name.items()})
    experiment = training.Experiment(learner, digits())
    return training.run(experiment, Config(workdir=folder), name="parts", silent=True)


def test_a_run_continues_while_one_part_is_finite(tmp_path):
    result = side_by_side(tmp_path / "one", explodes=explodes_at(5), learns=0.1)
    assert result.summary["steps"] == 23
    last = [row for row in result.rows if row["split"] == "train"][-1]
    assert last["loss/explodes"] is None
    assert 0 < last["loss/learns"] < 2.3
    with pytest.raises(Diverged, match="not a finite number at step 10 ") as raised:
        side_by_side(tmp_path / "both", explodes=explodes_at(5), later=explodes_at(8))
    assert raised.value.step == 10  # the step after the last finite weights


def test_a_metric_that_is_not_a_loss_may_be_infinite(tmp_path):
    learner = softmax_regression(
        0.1, metrics_of={"odd": lambda outputs, labels: jnp.full(labels.shape, jnp.nan)}
    )
    experiment = training.Experiment(learner, digits())
    result = training.run(experiment, Config(workdir=tmp_path), name="odd", silent=True)
    assert result.summary["steps"] == 23
    assert all(row["odd"] is None and row["loss"] > 0 for row in result.rows)


def test_the_training_program_is_compiled_once(tmp_path, caplog):
    with jax.log_compiles():
        train("classifier", tmp_path)
    compiled = [r for r in caplog.records if "Finished XLA compilation of jit(_train)" in r.message]
    assert len(compiled) == 1


def test_a_transfer_to_the_device_inside_a_chunk_is_an_error(tmp_path, monkeypatch):
    training_chunk = Resident.training

    def on_the_host(self, step, length):
        return jax.device_get(training_chunk(self, step, length))

    monkeypatch.setattr(Resident, "training", on_the_host)
    with pytest.raises(jax.errors.JaxRuntimeError, match="Disallowed host-to-device transfer"):
        train("classifier", tmp_path)
