"""Trials side by side in one program: what may differ, and that each is the run it stands for."""

import dataclasses
import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import training, tuning
from dlcourse.learner import Learner
from dlcourse.tuning.side_by_side import learner_of, traceable
from tests.tuning.digits import Config, digits, experiment
from tests.tuning.points import search


def test_what_can_differ_in_one_program_is_found_out():
    able = ["learning_rate", "weight_decay", "clip", "dropout"]
    ranges = (*able, "label_noise", "threshold", "epochs")
    space = {name: tuning.Uniform(0.1, 0.9) for name in ranges}
    space |= {"width": tuning.Integer(1, 2), "hidden": tuning.Choice((1,), (2,))}
    names, reasons = traceable(experiment, Config(), space)
    assert names == able
    assert set(reasons) == {"label_noise", "threshold"}
    assert reasons["label_noise"] == "the data depend on it"
    assert "needs its value" in reasons["threshold"]


def test_the_program_does_not_hold_the_hyperparameters():
    """So that the next trials find it compiled."""
    batch = digits().batch(0, 7, 0)
    key = jax.random.key(0)

    def program(rates):
        learner = learner_of(experiment, Config(), {"learning_rate": jnp.asarray(rates)})
        state = jax.eval_shape(learner.init, key, batch)
        return jax.jit(learner.step).lower(state, batch, key).as_text()

    assert program([0.1, 0.2]) == program([0.3, 0.4])


@pytest.mark.parametrize("axes", [(), (1,)])
def test_dropout_with_a_traced_rate_is_linens(axes, key):
    class Dropped(nn.Module):
        rate: float

        @nn.compact
        def __call__(self, x, *, train=False):
            return nn.Dropout(self.rate, axes, deterministic=not train)(x)

    x, rates = jnp.ones((11, 13)), np.array([0.0, 0.3, 1.0], np.float32)

    def learner(hyperparameters):
        def step(state, batch, key):
            module = Dropped(hyperparameters["rate"])
            return module.apply({}, batch, train=True, rngs={"dropout": key}), {}

        def evaluate(state, batch):
            return {"x": apply(state, batch, None)}

        def apply(state, batch, key):
            return Dropped(hyperparameters["rate"]).apply({}, batch)

        return Learner(lambda key, batch: batch, step, evaluate, apply)

    all_rates = training.population(learner, {"rate": rates})
    state = all_rates.init(key, x)
    dropped = all_rates.step(state, x, key)[0].learned
    for rate, found in zip(rates, dropped, strict=True):
        alone = Dropped(float(rate)).apply({}, x, train=True, rngs={"dropout": key})
        np.testing.assert_allclose(found, alone, rtol=1e-6)
    np.testing.assert_array_equal(all_rates.evaluate(state, x)["x"], jnp.stack([x] * 3))


def test_trials_side_by_side_are_the_runs_they_stand_for(tmp_path):
    """Two programs of four trials, and each trial is what its own command would give."""
    space = {
        "learning_rate": tuning.LogUniform(0.01, 0.5),
        "dropout": tuning.Uniform(0.0, 0.4),
        "hidden": tuning.Choice((17,), (13, 11)),
    }
    result, lines = search(
        tmp_path / "grid", space, method="grid", trials=8, config=Config(), experiment=experiment
    )
    assert len(list((tmp_path / "grid" / "trials").iterdir())) == 2
    assert any("differ only in learning_rate and dropout" in line for line in lines)
    assert [trial.state for trial in result.trials] == ["complete"] * 8
    trial = result.trials[6]
    config = Config(**trial.values, workdir=tmp_path / "alone", progress=False)
    alone = training.run(experiment(config), config, name="alone")
    assert trial.value == pytest.approx(alone.summary["metrics"]["validation"]["loss"], rel=1e-4)
    assert len({trial.value for trial in result.trials}) == 8
    assert result.best.value == min(trial.value for trial in result.trials)
    # The test split was not looked at.
    rows = (tmp_path / "grid" / "trials" / "0000" / "metrics.jsonl").read_text().splitlines()
    assert {json.loads(row)["split"] for row in rows} == {"train", "validation"}


@pytest.mark.long
def test_patience_and_seeds_side_by_side(tmp_path):
    """Each member keeps its own best weights; a value is the mean over the seeds."""
    config = Config(steps=30, evaluate_every="3 steps", patience=2, seeds=2, seed=5)
    space = {"learning_rate": tuning.Choice(0.05, 2.0)}
    result, _ = search(
        tmp_path / "study", space, method="grid", config=config, experiment=experiment
    )
    alone = dataclasses.replace(config, learning_rate=2.0, workdir=tmp_path / "alone")
    best = training.run(experiment(alone), alone, name="alone").summary["best"]
    assert min(best["step"]) < 30  # one stopped early
    assert result.trials[1].value == pytest.approx(np.mean(best["loss"]), rel=1e-3)
    assert result.trials[0].value != pytest.approx(result.trials[1].value, rel=0.1)
