"""The run folder: what it holds, and whose it is."""

import dataclasses
import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import learners, models, optim, training
from dlcourse.errors import UsageError, UserError
from dlcourse.learner import Rule, count_parameters
from dlcourse.training import clock
from dlcourse.training.run.checkpoints import Checkpoints
from dlcourse.training.run.ends import Interrupted
from tests.kinds import KINDS, Config
from tests.training.runs import At, train


def test_a_run_of_another_config_is_refused(tmp_path):
    train("classifier", tmp_path, steps=3)
    with pytest.raises(UsageError, match=r"batch_size was 40 and is 20; seed was 0 and is 1"):
        train("classifier", tmp_path, steps=3, seed=1, batch_size=20)
    # Where and how fast it is computed is another matter.
    train("classifier", tmp_path, steps=3, checkpoint_every="1 step")


def test_a_run_that_ended_before_its_start_holds_no_folder(tmp_path):
    """Such as one on damaged examples: the option that its message names can be given."""
    made = KINDS["classifier"](Config())
    broken = dataclasses.replace(made.data, damaged={5: "no image"})
    for skip in (False, True):
        config = Config(workdir=tmp_path, steps=3, skip_damaged=skip)
        experiment = dataclasses.replace(made, data=broken)
        if skip:
            training.run(experiment, config, name="classifier", silent=True)
        else:
            with pytest.raises(UserError, match="with --skip-damaged"):
                training.run(experiment, config, name="classifier", silent=True)
    assert json.loads((tmp_path / "config.json").read_text())["config"]["skip_damaged"]


def test_a_run_keeps_the_texts_that_it_began_with(tmp_path):
    made = KINDS["classifier"](Config())
    for content in ("the first", "another"):
        experiment = dataclasses.replace(made, copies={"text.txt": f"{content}: Grüße\n"})
        config = Config(workdir=tmp_path, steps=3)
        training.run(experiment, config, name="classifier", silent=True)
        assert (tmp_path / "text.txt").read_text(encoding="utf-8") == "the first: Grüße\n"


@pytest.mark.parametrize("name", ["a[b]", "every*", "what?"])
def test_a_path_that_orbax_would_take_for_a_pattern_is_refused(name, tmp_path):
    """It would merge no checkpoint there, without a word."""
    with pytest.raises(UsageError, match=r"has one of \[ \] \* \? in its path"):
        train("classifier", tmp_path / name, steps=3)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"experiment": "classifier"}', "\x00\x01"])
def test_a_damaged_config_is_named(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=r"config\.json is damaged"):
        train("classifier", tmp_path, steps=3)


def test_damaged_rows_are_named_unless_the_run_has_not_kept_them(tmp_path):
    train("classifier", tmp_path, steps=3, log_every="1 step")
    place = tmp_path / "metrics.jsonl"
    whole = place.read_text()
    place.write_text(whole + '{"step": 3, "spl')  # of a process that was killed
    train("classifier", tmp_path, steps=3, log_every="1 step")
    assert place.read_text() == whole
    first, second, *others = whole.splitlines()
    place.write_text("\n".join([first, second[:9], *others]))
    with pytest.raises(UserError, match=r"Line 2 of .*metrics\.jsonl is damaged"):
        train("classifier", tmp_path, steps=3, log_every="1 step")


ACTIVITIES = {"compiling", "input", "steps", "logging", "evaluation", "saving", "drawing"}


def test_a_summary_has_the_seconds_of_each_activity(tmp_path):
    """Every second is counted once: the parts add up to about the time of the whole run."""
    begun = time.perf_counter()
    result = train("classifier", tmp_path)
    wall = time.perf_counter() - begun
    summary = json.loads((tmp_path / "summary.json").read_text())
    spent = summary["time"]
    assert set(spent) == ACTIVITIES
    assert all(seconds > 0 for seconds in spent.values())
    assert 0.7 * wall < sum(spent.values()) <= wall
    assert spent == result.summary["time"]
    assert summary["compile_seconds"] == spent["compiling"]
    # Training alone: neither compiling nor evaluation, saving or drawing.
    training_alone = sum(spent[name] for name in ("input", "steps", "logging"))
    assert summary["seconds"] == pytest.approx(training_alone)
    assert summary["examples_per_second"] == pytest.approx(23 * 40 / training_alone)
    assert (tmp_path / "figures" / "curves.png").stat().st_size > 1000


def test_an_activity_inside_another_is_counted_once(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])
    counted = clock.Clock()

    def spend(seconds):
        now[0] += seconds

    spend(100)  # outside of any activity
    with counted("steps"):
        spend(1)
        with counted("input"):
            spend(2)
            with counted("compiling"):
                spend(4)
        spend(8)

        def fail():
            with counted("logging"):
                spend(16)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        spend(32)
    spend(100)
    assert counted.seconds == {"steps": 41, "input": 2, "compiling": 4, "logging": 16}


def test_a_resumed_run_counts_the_time_before_it_was_stopped(tmp_path, monkeypatch, without_curves):
    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        train("classifier", tmp_path, At(patched, 14))
    with Checkpoints(tmp_path / "checkpoints", read_only=True) as checkpoints:
        (saved,) = [
            json.loads(file.read_text())["seconds"]
            for file in (tmp_path / "checkpoints" / str(checkpoints.newest)).glob("progress/*")
            if file.name == "metadata"
        ]
    result = train("classifier", tmp_path)
    for activity, seconds in saved.items():
        assert result.summary["time"][activity] > seconds


def counted(learner, batch):
    return count_parameters(jax.eval_shape(learner.init, jax.random.key(0), batch))


def test_only_weights_are_counted_as_parameters():
    """Not the cost, the mistakes, the path of a descent, the replay or the target network."""
    tabular = {"image": jnp.ones((3, 64)), "label": jnp.zeros(3, jnp.int32)}
    assert counted(learners.logistic_regression(2, 0.1), tabular) == 65
    assert counted(learners.logistic_regression(10, 0.1), tabular) == 650
    assert counted(learners.perceptron(2), tabular) == 65
    surface = learners.descent(lambda x: x @ x, Rule(optim.adam(0.1)), (1.0, 2.0), steps=9)
    assert counted(surface, tabular) == 2
    both = learners.side_by_side({"a": surface, "b": learners.perceptron(2)})
    assert counted(both, tabular) == 67
    game = KINDS["dqn"](Config()).learner
    assert counted(game, {"episode": jnp.arange(3)}) == (5 * 5 * 7 * 11 + 11) + (11 * 4 + 4)


def test_a_summary_counts_the_parameters_of_one_member(tmp_path, without_curves):
    """Of a GAN those of both networks; of a population and of several seeds, of one member."""
    config = Config(workdir=tmp_path / "gan", steps=2, evaluate_every="100%", seeds=2)
    made = KINDS["gan"](config)
    networks = [
        (models.Generator((8, 8, 1), (16,)), (1, 5)), (models.Discriminator((16,)), (1, 8, 8, 1)),
    ]  # fmt: skip
    expected = sum(
        leaf.size
        for network, shape in networks
        for leaf in jax.tree.leaves(
            jax.eval_shape(network.init, jax.random.key(0), jnp.zeros(shape))["params"]
        )
    )
    assert training.run(made, config, name="gan", silent=True).summary["parameters"] == expected

    def descent(rate):
        return learners.descent(lambda x: x @ x, Rule(optim.sgd(rate)), (1.0, 2.0), steps=2)

    rates = np.array([0.1, 0.2, 0.3], np.float32)
    inside = dataclasses.replace(config, workdir=tmp_path / "descent", batch_size=1)
    experiment = training.Experiment(training.population(descent, rates), made.data, "min height")
    result = training.run(experiment, inside, name="descent", silent=True)
    assert result.summary["parameters"] == 2
    assert result.values("test", "height").shape == (6,)
