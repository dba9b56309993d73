"""Search over hyperparameters: the laws of spaces and methods, and studies that are shared,
interrupted and side by side."""

import dataclasses
import itertools
import json
import multiprocessing
import os
import pathlib
import shlex
import signal
import sys
import time
from collections import Counter

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from dlcourse import data, learners, losses, optim, training, tuning
from dlcourse.errors import UsageError, UserError
from dlcourse.learner import Learner
from dlcourse.training.commands.command_line import load_experiment, parse
from dlcourse.training.run import loop
from dlcourse.training.run.interruption import Interruption
from dlcourse.training.run.loop import Interrupted
from dlcourse.tuning import __main__ as command
from dlcourse.tuning import methods, notation
from dlcourse.tuning.efficiency import expected_best, quantile_best
from dlcourse.tuning.figures import draw_importances, draw_parallel
from dlcourse.tuning.lock import JournalLock
from dlcourse.tuning.side_by_side import learner_of, traceable
from dlcourse.tuning.space import levels
from dlcourse.tuning.study import Study
from dlcourse.tuning.trial import Trial
from tests import ROOT

EXPERIMENTS = ROOT / "experiments" / "foundations"


@dataclasses.dataclass(frozen=True)
class Config(training.Config):
    """A run of a few steps."""

    batch_size: int = 40
    steps: int | None = 9
    evaluate_every: str = "1 step"
    learning_rate: float = 0.1
    dropout: float = 0.2
    label_noise: float = 0.0
    threshold: float = 0.0
    augmented: bool = False
    hidden: tuple[int, ...] = (17,)
    width: int | None = None


class Net(nn.Module):
    """Not `models.MLP`: the tests enforce its annotations, and there a rate is a float."""

    hidden: tuple[int, ...]
    dropout: float

    @nn.compact
    def __call__(self, x, *, train=False):
        x = x.reshape(x.shape[0], -1)
        for width in self.hidden:
            x = nn.tanh(nn.Dense(width)(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(10)(x)


def experiment(config):
    digits = data.images("digits")
    if config.label_noise:
        labels = digits.examples["label"].copy()
        wrong = np.random.default_rng(0).random(len(labels)) < config.label_noise
        examples = {**digits.examples, "label": np.where(wrong, 0, labels).astype(np.int32)}
        digits = dataclasses.replace(digits, examples=examples)
    rate = config.learning_rate if config.threshold <= 0.5 else 0.1
    model = Net(config.hidden, config.dropout)
    learner = learners.supervised(model, losses.softmax_cross_entropy, optim.sgd(rate))
    return training.Experiment(learner, digits)


def search(folder, space, **options):
    config = options.pop("config", Config())
    kind = options.pop("experiment", experiment)
    lines = []
    result = tuning.search(
        kind,
        config,
        space,
        name="digits",
        folder=folder,
        say=lambda x: lines.append(str(x)),
        **options,
    )
    return result, lines


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch):
    """Each run draws them, which takes longer than the run."""
    monkeypatch.setattr(loop, "draw_curves", lambda rows, path: None)


# Spaces


@pytest.mark.parametrize(
    ("dimension", "law"),
    [
        (tuning.Uniform(-2, 3), lambda x: (x + 2) / 5),
        (tuning.LogUniform(1e-4, 1e-1), lambda x: (np.log10(x) + 4) / 3),
    ],
)
def test_random_search_follows_the_law_of_each_range(dimension, law):
    random = methods.Random({"other": tuning.Uniform(0, 1), "x": dimension}, 2000, seed=3)
    points = random.propose([], 2000)
    x = np.array([point["x"] for point in points])
    assert x.min() >= dimension.low
    assert x.max() <= dimension.high
    assert stats.kstest(law(x), "uniform").pvalue > 0.01
    correlation = stats.pearsonr(law(x), [point["other"] for point in points])
    assert abs(correlation.statistic) < 0.07


def test_whole_numbers_have_both_ends_and_their_law():
    u = (np.arange(6000) + 0.5) / 6000
    counts = Counter(tuning.Integer(3, 8).at(float(v)) for v in u)
    assert counts == dict.fromkeys(range(3, 9), 1000)
    logarithmic = tuning.Integer(1, 31, log=True)
    counts = Counter(logarithmic.at(float(v)) for v in u)
    assert set(counts) == set(range(1, 32))
    for k, count in counts.items():
        assert count == pytest.approx(6000 * np.log((k + 1) / k) / np.log(32), abs=1.5)
    assert logarithmic.at(1.0) == 31
    choice = tuning.Choice("a", "b", "c")
    assert Counter(choice.at(float(v)) for v in u) == dict.fromkeys("abc", 2000)
    assert choice.at(1.0) == "c"


@pytest.mark.parametrize(
    "dimension",
    [
        tuning.Uniform(-2, 3),
        tuning.LogUniform(1e-4, 0.3),
        tuning.Integer(3, 8),
        tuning.Integer(1, 31, log=True),
        tuning.Choice((64,), (64, 32), (7,)),
    ],
)
def test_a_position_becomes_its_value_again(dimension):
    for u in (0.0, 0.123, 0.5, 0.87, 1.0):
        value = dimension.at(u)
        assert 0 <= dimension.position(value) <= 1
        again = dimension.at(dimension.position(value))
        assert again == (pytest.approx(value) if isinstance(value, float) else value)


# Methods


def test_a_random_point_is_a_function_of_seed_and_number():
    space = {"x": tuning.Uniform(0, 1), "y": tuning.LogUniform(1, 9)}
    random = methods.Random(space, 9, seed=3)
    whole = random.propose([], 100)
    assert len(whole) == 9
    known = [Trial(number, values) for number, values in enumerate(whole)]
    assert whole == [random.propose(known[:n], 1)[0] for n in range(9)]
    assert random.propose(known, 5) == []
    assert methods.Random(space, 9, seed=4).propose([], 1) != whole[:1]


def test_a_grid_is_the_largest_that_the_trials_allow():
    space = {
        "rate": tuning.LogUniform(1e-4, 1e-1),
        "hidden": tuning.Choice((8,), (9,)),
        "decay": tuning.Uniform(0, 1),
        "depth": tuning.Integer(1, 2),
    }
    grid = methods.Grid(space, 63)  # 3 x 2 x 3 x 2; a level more would be 64
    points = grid.propose([], 100)
    assert len(points) == grid.trials == 36
    assert len({tuple(point.values()) for point in points}) == 36
    assert sorted({point["rate"] for point in points}) == pytest.approx([1e-4, 10**-2.5, 1e-1])
    assert sorted({point["decay"] for point in points}) == [0, 0.5, 1]
    assert methods.Grid(space, 64).trials == 64
    # Nine that share what compiles follow each other.
    assert len({(point["hidden"], point["depth"]) for point in points[:9]}) == 1
    assert methods.Grid({"depth": tuning.Integer(1, 3)}, 50).trials == 3
    with pytest.raises(UsageError, match="at least 16 trials, not 15"):
        methods.Grid(space, 15)


def test_coarse_to_fine_narrows_around_the_best():
    space = {
        "x": tuning.LogUniform(1e-3, 1e3),
        "y": tuning.Uniform(0, 1),
        "z": tuning.Choice("a", "b", "c"),
    }
    method = methods.make_method("coarse-to-fine", space, 30, maximize=False, seed=1)
    known, best = [], {"x": 40.0, "y": 0.98, "z": "b"}
    for number, side in enumerate((1, 1 / 3, 1 / 9)):
        proposed = method.propose(known, 100)
        assert len(proposed) == 10  # not beyond the round: its results are not known
        if number:
            low, found = method.box(known, number)
            centre = np.array([space[name].position(best[name]) for name in space])
            assert found == pytest.approx(side)
            assert np.all((low <= centre) & (centre <= low + side))
            assert np.all((low >= 0) & (low + side <= 1 + 1e-12))
            for name, corner in zip(space, low, strict=True):
                places = np.array([space[name].position(values[name]) for values in proposed])
                if name != "z":
                    assert np.all((places >= corner - 1e-9) & (places <= corner + side + 1e-9))
            assert {values["z"] for values in proposed} == {"b"}
        for values in proposed:
            known.append(Trial(len(known), values, "complete", 1.0 + len(known)))
        if number == 0:
            known[4] = Trial(4, best, "complete", 0.5)
            known[5] = Trial(5, known[5].values, "diverged")
    assert method.propose(known, 100) == []


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_bayesian_search_finds_a_valley_and_repeats_itself(name):
    if name == "gp":
        pytest.importorskip("torch")
    space = {"x": tuning.LogUniform(1e-3, 1e3), "z": tuning.Choice((1, 2), (3,))}
    trials = {"tpe": 24, "gp": 16}[name]
    method = methods.make_method(name, space, trials, maximize=False, seed=0)

    def height(values):
        return (np.log10(values["x"]) - 1.2) ** 2 + (values["z"] == (3,))

    known = []
    while proposed := method.propose(known, 4):
        if len(known) in (0, 12):
            assert proposed == method.propose(known, 4)
        assert len({point["x"] for point in proposed}) == len(proposed)
        for values in proposed:
            known.append(Trial(len(known), values, "complete", float(height(values))))
    assert len(known) == trials
    # Late trials lie lower than the ten random ones that begin.
    late, early = ([trial.value for trial in part] for part in (known[12:], known[:10]))
    assert np.median(late) < 0.5 * np.median(early)


# What a person types


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("learning_rate=log:1e-4:1e-1", tuning.LogUniform(1e-4, 1e-1)),
        ("learning-rate=1e-4:1", tuning.Uniform(1e-4, 1.0)),
        ("ema=0.9:0.99", tuning.Uniform(0.9, 0.99)),
        ("width=2:5", tuning.Integer(2, 5)),
        ("batch_size=log:16:256", tuning.Integer(16, 256, log=True)),
        ("hidden=64/64,32", tuning.Choice((64,), (64, 32))),
        ("precision=float32/bfloat16", tuning.Choice("float32", "bfloat16")),
        ("augmented=true/false", tuning.Choice(True, False)),
        ("width=3/None", tuning.Choice(3, None)),
        ("evaluate_every=1 epoch/5%", tuning.Choice("1 epoch", "5%")),
    ],
)
def test_a_space_is_typed_by_the_config(text, expected):
    def parsed(args):
        return parse(Config, args)

    (dimension,) = notation.parse_space([text], Config, parsed).values()
    assert dimension == expected
    for u in (0.0, 0.3, 1.0):
        name = text.partition("=")[0].replace("-", "_")
        value = dimension.at(u)
        args = shlex.split(notation.arguments({name: value}))
        assert getattr(parsed(args), name) == value


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["learning_rat=0:1"], r"no option 'learning_rat'; the nearest is learning_rate\."),
        (["learning_rate=1e-1:1e-4"], r"from 0.1 to 0.0001 is empty: low must be below high"),
        (["learning_rate=0.1:0.1"], "is empty"),
        (["learning_rate=nan:1"], "is empty"),
        (["learning_rate=0:inf"], "is empty"),
        (["learning_rate=log:0:1"], "must begin above 0, not at 0"),
        (["batch_size=log:0:4"], "must begin above 0, not at 0"),
        (["learning_rate=low:high"], "goes between two numbers"),
        (["batch_size=1.5:8"], "goes between two whole numbers"),
        (["learning_rate=lin:1:2"], "write low:high, log:low:high or a/b/c"),
        (["learning_rate=3"], "write low:high, log:low:high or a/b/c"),
        (["learning_rate"], "'learning_rate' is no search"),
        (["learning_rate="], "is no search"),
        (["hidden=1:5"], "hidden is no number; list its values"),
        (["dropout=0.1/0.1"], "two or more different values"),
        (["augmented=true/maybe"], "true or false, not maybe"),
        (["dropout=0:1", "dropout=0:0.5"], "names dropout twice"),
        (["workdir=a/b"], "workdir says how a run is computed"),
    ],
)
def test_a_wrong_search_is_one_clear_line(texts, message):
    with pytest.raises(UsageError, match=message) as raised:
        notation.parse_space(texts, Config, lambda args: parse(Config, args))
    assert "\n" not in str(raised.value)
    assert raised.value.exit_status == 2


@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        ({"hiden": tuning.Choice((1,), (2,))}, {}, "the nearest is hidden"),
        ({"batch_size": tuning.Integer(0, 8)}, {}, "cannot reach 0: batch_size must be at least"),
        ({"ema": tuning.Uniform(0.5, 1)}, {}, r"cannot reach 1\.0: ema must lie in \[0, 1\)"),
        ({}, {}, "nothing to search"),
        ({"dropout": tuning.Uniform(0, 1)}, {"metric": "accuracy"}, "write 'min loss'"),
        (
            {"dropout": tuning.Uniform(0, 1)},
            {"metric": "max acuracy"},
            "measures no 'acuracy'; the nearest is accuracy",
        ),
        ({"dropout": tuning.Uniform(0, 1)}, {"trials": 0}, "at least 1 trial"),
        ({"dropout": tuning.Uniform(0, 1)}, {"seed": -1}, "must not be negative"),
        ({"dropout": tuning.Uniform(0, 1)}, {"prune": True, "side_by_side": 4}, "--side-by-side"),
    ],
)
def test_an_impossible_search_is_refused(space, options, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        search(tmp_path / "study", space, **options)
    assert not (tmp_path / "study").exists()


def test_a_search_needs_a_validation_split(tmp_path):
    def without(config):
        whole = experiment(config)
        splits = {name: whole.data.splits[name] for name in ("train", "test")}
        return dataclasses.replace(whole, data=dataclasses.replace(whole.data, splits=splits))

    with pytest.raises(UserError, match="must not judge by the test split"):
        search(tmp_path, {"dropout": tuning.Uniform(0, 0.5)}, experiment=without)


# Side by side


def test_what_can_differ_in_one_program_is_found_out():
    ranges = ("learning_rate", "dropout", "label_noise", "threshold", "epochs")
    space = {name: tuning.Uniform(0.1, 0.9) for name in ranges}
    space |= {"width": tuning.Integer(1, 2), "hidden": tuning.Choice((1,), (2,))}
    names, reasons = traceable(experiment, Config(), space)
    assert names == ["learning_rate", "dropout"]
    assert set(reasons) == {"label_noise", "threshold"}
    assert reasons["label_noise"] == "the data depend on it"
    assert "needs its value" in reasons["threshold"]


def test_the_program_does_not_hold_the_hyperparameters():
    """So that the next trials find it compiled."""
    batch = data.images("digits").batch(0, 7, 0)
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
            return {"x": Dropped(hyperparameters["rate"]).apply({}, batch)}

        return Learner(lambda key, batch: batch, step, evaluate)

    together = training.population(learner, {"rate": rates})
    state = together.init(key, x)
    dropped = together.step(state, x, key)[0].learned
    for rate, found in zip(rates, dropped, strict=True):
        alone = Dropped(float(rate)).apply({}, x, train=True, rngs={"dropout": key})
        np.testing.assert_allclose(found, alone, rtol=1e-6)
    np.testing.assert_array_equal(together.evaluate(state, x)["x"], jnp.stack([x] * 3))


def test_trials_side_by_side_are_the_runs_they_stand_for(tmp_path):
    """Two programs of four trials, and each trial is what its own command would give."""
    space = {
        "learning_rate": tuning.LogUniform(0.01, 0.5),
        "dropout": tuning.Uniform(0.0, 0.4),
        "hidden": tuning.Choice((17,), (13, 11)),
    }
    result, lines = search(tmp_path / "grid", space, method="grid", trials=8)
    assert len(list((tmp_path / "grid" / "trials").iterdir())) == 2
    assert any("differ in learning_rate and dropout alone" in line for line in lines)
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


def test_patience_and_seeds_side_by_side(tmp_path):
    """Each member keeps its own best weights; a value is the mean over the seeds."""
    config = Config(steps=30, evaluate_every="3 steps", patience=2, seeds=2, seed=5)
    space = {"learning_rate": tuning.Choice(0.05, 2.0)}
    result, _ = search(tmp_path / "study", space, method="grid", config=config)
    alone = dataclasses.replace(config, learning_rate=2.0, workdir=tmp_path / "alone")
    best = training.run(experiment(alone), alone, name="alone").summary["best"]
    assert min(best["step"]) < 30  # one stopped early
    assert result.trials[1].value == pytest.approx(np.mean(best["loss"]), rel=1e-3)
    assert result.trials[0].value != pytest.approx(result.trials[1].value, rel=0.1)


def test_a_diverged_trial_is_no_result_and_stops_no_other(tmp_path):
    space = {"learning_rate": tuning.Choice(0.1, 1e38)}
    for side_by_side in (2, 1):
        folder = tmp_path / str(side_by_side)
        result, _ = search(
            folder, space, method="grid", metric="max accuracy", side_by_side=side_by_side
        )
        assert [trial.state for trial in result.trials] == ["complete", "diverged"]
        assert result.trials[1].value is None
        assert result.best.number == 0
        saved = json.loads((folder / "results.json").read_text())
        assert saved["trials"][1]["value"] is None
        assert (folder / "figures" / "parallel_coordinates.png").stat().st_size > 1000


def test_pruning_stops_what_falls_behind(tmp_path):
    space = {"learning_rate": tuning.Choice(0.1, 1e-3, 1e-2, 0.2)}
    result, _ = search(tmp_path, space, method="grid", prune=True)
    states = [trial.state for trial in result.trials]
    assert states == ["complete", "pruned", "pruned", "complete"]
    for trial in result.trials:
        # What was reported is the run's own validation row, and it ends at a rung: 1, 3 of 9.
        rows = (tmp_path / "trials" / trial.run / "metrics.jsonl").read_text().splitlines()
        seen = [r["loss"]["values"] for r in map(json.loads, rows) if r["split"] == "validation"]
        assert [[value] for value in trial.reports.values()] == seen[: len(trial.reports)]
        assert trial.state == "complete" or max(trial.reports) in (1, 3)


# Studies


class After(Interruption):
    """A signal that comes when it has been asked for so many times."""

    def __init__(self, asked):
        super().__init__()
        self.left = asked

    def __bool__(self):
        self.left -= 1
        if self.left < 0:
            self.signal = "SIGTERM"
        return self.left < 0


def test_an_interrupted_study_goes_on(tmp_path):
    """In the middle of a run, between two runs: the trials and their values are the same."""
    options = {"method": "tpe", "trials": 4, "side_by_side": 2, "prune": False}
    space = {"learning_rate": tuning.LogUniform(0.01, 1.0), "dropout": tuning.Uniform(0, 0.5)}
    expected, _ = search(tmp_path / "whole", space, **options)
    folder = tmp_path / "stopped"
    for stop in (4, 7):
        with pytest.raises(Interrupted, match="The same command goes on"):
            search(folder, space, interruption=After(stop), **options)
    result, lines = search(folder, space, **options)
    assert [t.values for t in result.trials] == [t.values for t in expected.trials]
    assert [t.value for t in result.trials] == [t.value for t in expected.trials]
    again, lines = search(folder, space, **options)  # finished: it only reports
    assert again.trials == result.trials
    assert not any(line.startswith("1/4") for line in lines)
    # A study grows, but does not change.
    with pytest.raises(UsageError, match="seed was 0 and is 1"):
        search(folder, space, **options | {"seed": 1})
    with pytest.raises(UsageError, match=r"search was .* and is"):
        search(folder, {"dropout": tuning.Uniform(0, 0.5)}, **options)


def height(values):
    return (np.log10(values["x"]) + 1) ** 2


def work(folder, pause, trials=24, *, start=None, dies=False):
    """A worker without training, which may be killed over its fourth trial."""
    space = {"x": tuning.LogUniform(1e-3, 1e1)}
    method = methods.make_method("random", space, trials, maximize=False, seed=0)
    with Study(pathlib.Path(folder), space, maximize=False) as study:
        done = 0
        if start is not None:
            start.wait()
        while groups := study.claim(method, 2, lambda values: 0):
            for trial in groups[0]:
                if dies and done == 3:
                    os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(pause)
                if trial.state == "running":
                    study.complete(trial, height(trial.values))
                    done += 1


def test_workers_share_a_study_and_replace_each_other(tmp_path):
    """Three at once, one of them killed over a trial: none is lost, none made twice."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    workers = [
        context.Process(
            target=work, args=(str(tmp_path), 0.05), kwargs={"start": start, "dies": dies}
        )
        for dies in (True, False, False)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [-signal.SIGKILL, 0, 0]
    space = {"x": tuning.LogUniform(1e-3, 1e1)}
    alone = methods.make_method("random", space, 24, maximize=False, seed=0).propose([], 24)
    with Study(tmp_path, space, maximize=False) as study:
        trials = study.trials
        assert [trial.values for trial in trials] == alone
        assert [trial.value for trial in trials] == [height(values) for values in alone]
        assert study.importances() == {"x": 1.0}
    by_worker = Counter(trial.worker for trial in trials)
    assert len(by_worker) == 3
    assert 3 in by_worker.values()  # the killed one's; another took the fourth over
    # Every claim is in the journal once: nothing was created twice.
    journal = [json.loads(line) for line in (tmp_path / "journal.log").read_text().splitlines()]
    assert sum(entry["op_code"] == 4 for entry in journal) == 24


def test_half_a_line_in_the_journal_is_forgotten(tmp_path):
    """As a full disk leaves it."""
    work(tmp_path, 0.0, trials=2)
    journal = tmp_path / "journal.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "wor')
    work(tmp_path, 0.0, trials=4)
    assert journal.read_bytes().startswith(whole)
    with Study(tmp_path, {"x": tuning.LogUniform(1e-3, 1e1)}, maximize=False) as study:
        assert [trial.state for trial in study.trials] == ["complete"] * 4
    assert not JournalLock(journal)._torn()
    journal.write_bytes(whole[:-60] + b"}\n" + whole)
    with pytest.raises(UserError, match=r"journal\.log is damaged"):
        work(tmp_path, 0.0, trials=4)


# The command line


def run_command(monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", ["tuning", *map(str, args)])
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as ended:
        command.main()
    return ended.value.code


def test_an_experiment_file_is_searched_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    args = [
        EXPERIMENTS / "mnist_mlp.py",
        "--search", "learning_rate=log:1e-4:1e-1", "hidden=7/7,5",
        "--trials", 6, "--metric", "max accuracy", "--", "--steps", 7, "--batch-size", 50,
    ]  # fmt: skip
    assert run_command(monkeypatch, *args) == 0
    printed = capsys.readouterr().out
    (folder,) = (tmp_path / "runs" / "tuning" / "mnist_mlp").iterdir()
    saved = json.loads((folder / "results.json").read_text())
    assert len(saved["trials"]) == 6
    assert saved["best"]["value"] == max(trial["value"] for trial in saved["trials"])
    again = saved["best"]["command"]
    assert again in printed
    assert sorted(p.name for p in (folder / "figures").iterdir()) == [
        "importance.png",
        "parallel_coordinates.png",
    ]
    # The command names the experiment, its flags and the best values, and it parses.
    python, path, *flags = shlex.split(again)
    assert python == "python"
    module = load_experiment(pathlib.Path(path))
    parsed = parse(module.Config, flags)
    assert (parsed.steps, parsed.batch_size) == (7, 50)
    best = saved["best"]["values"]
    assert (parsed.learning_rate, list(parsed.hidden)) == (best["learning_rate"], best["hidden"])
    # The same command finds the same study, and nothing is left to do.
    journal = (folder / "journal.log").read_bytes()
    assert run_command(monkeypatch, *args) == 0
    assert (folder / "journal.log").read_bytes() == journal


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([EXPERIMENTS / "mnist_mlp.py", "--search", "learning_rat=0:1"], "'learning_rat'"),
        (["nothing.py", "--search", "x=0:1"], "no experiment file nothing.py"),
        ([ROOT / "tests" / "__init__.py", "--search", "x=0:1"], "defines no Config"),
        ([EXPERIMENTS / "islr_table.py", "--search", "x=0:1"], "makes several runs"),
        ([EXPERIMENTS / "mnist_mlp.py"], "--search"),
        (
            [EXPERIMENTS / "mnist_mlp.py", "--search", "dropout=0:1", "--", "--epoch", 3],
            "--epochs",
        ),
    ],
)
def test_a_wrong_command_line_is_said_and_exits_with_2(args, message, monkeypatch, capsys):
    assert run_command(monkeypatch, *args) == 2
    assert message in " ".join(capsys.readouterr().err.split())


# Efficiency


def test_the_best_of_k_is_what_all_orders_give():
    values = np.array([0.3, 0.9, 0.1, 0.9, 0.5])
    for k in range(1, 6):
        best = [max(chosen) for chosen in itertools.combinations(values, k)]
        assert expected_best(values)[k - 1] == pytest.approx(np.mean(best))
        for probability in (0.1, 0.5, 0.9):
            quantile = quantile_best(values, probability)[k - 1]
            assert np.mean(np.array(best) <= quantile) >= probability
            assert np.mean(np.array(best) < quantile) < probability


# Figures


def test_the_best_line_ends_on_top_and_trials_without_a_result_do_not_end():
    space = {"x": tuning.LogUniform(1e-3, 1.0), "z": tuning.Choice("a", "b")}
    values = [{"x": 10.0**-k, "z": "ab"[k % 2]} for k in range(4)]
    trials = [Trial(n, v, "complete", float(n)) for n, v in enumerate(values)]
    trials[3] = dataclasses.replace(trials[3], state="diverged", value=None)
    panel = draw_parallel(trials, space, "min loss").axes[0]
    (red,) = [line for line in panel.lines if line.get_color() == "C3"]
    np.testing.assert_allclose(red.get_ydata(), [1.0, 0.25, 1.0])
    (dotted,) = [line for line in panel.lines if line.get_linestyle() == ":"]
    np.testing.assert_allclose(dotted.get_ydata(), [0.0, 0.75], atol=1e-12)
    bars = draw_importances({"x": 0.9, "z": 0.1}, "min loss", 3).axes[0].patches
    assert sorted(bar.get_width() for bar in bars) == [0.1, 0.9]


def test_levels_of_whole_numbers_are_no_twins():
    assert levels(tuning.Integer(1, 4), 4) == [1, 2, 3, 4]
    assert levels(tuning.Integer(1, 2), 9) == [1, 2]
