"""What a person meets: options, messages, exit statuses, signals."""

import dataclasses
import json
import re
import signal
import subprocess
import sys
import time

import jax
import pytest

from dlcourse import training
from dlcourse.training.engine.programs import Programs
from dlcourse.training.run import curves, drawing
from tests.training.commands.calls import MLP, PLAIN, alone, run

PERCEPTRON = MLP.with_name("perceptron.py")
QUICK = ["--steps", "4", "--batch-size", "32", "--hidden", "8", "--no-progress"]


def test_help_shows_every_option_with_type_default_and_meaning(tmp_path):
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    plain = re.sub(r"[│╭╮╰╯─]", " ", done.stdout)
    words = " ".join(plain.split())
    assert "Dropout rate of each hidden layer. (default: 0.4; at least 0 and at most 1)" in words
    assert (
        "--learning-rate FLOAT Learning rate; with a schedule, the highest one. (default: 0.001;"
        in words
    )
    assert "--seeds INT Number of seeds" in words
    assert "--precision {float32,bfloat16}" in words
    assert words.index("--dropout") < words.index("--seed ")  # what is its own comes first
    options = set(re.findall(r"--[a-z-]+", words))
    assert {"--workdir", "--mesh", "--epochs", "--steps", "--no-compilation-cache"} <= options
    # Each field of the config is there.
    sys.path.insert(0, str(MLP.parent))
    try:
        import mnist_mlp
    finally:
        sys.path.pop(0)
    names = [field.name for field in dataclasses.fields(mnist_mlp.Config)]
    fields = {"--" + name.replace("_", "-") for name in names}
    assert fields <= options


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--learning-rat", "0.1"], ["--learning-rat", "--learning-rate"]),
        (["--epochs", "many"], ["--epochs", "many"]),
        (["--precision", "float8"], ["float8", "bfloat16"]),
        (["--epochs", "-1"], ["epochs must be above 0; it is -1"]),
        (["--hidden", "64", "0"], ["hidden must be at least 1; it is 0"]),
        (["--dropout", "1.5"], ["dropout must be at most 1; it is 1.5"]),
        (["--learning-rate", "nan"], ["learning_rate is nan", "finite"]),
        (["--evaluate-every", "soon"], ["evaluate_every", "soon", "100 steps"]),
        (["--accumulate", "3"], ["batch_size 128", "3"]),
        (["--mesh", "rows=2"], ["rows=2", "data, fsdp, tensor"]),
        (["--mesh", ""], ["'' is not an axis", "data, fsdp, tensor"]),
        (["--mesh", "data=1,data=1"], ["'data=1' is not an axis"]),
        (["--mesh", "data=3"], ["data=3", "1 devices"]),
    ],
)
def test_a_wrong_command_line_is_refused_with_status_2(args, words, tmp_path):
    done = run(*args, cwd=tmp_path)
    assert done.returncode == 2
    said = " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.stdout + done.stderr).split())
    for word in words:
        assert word in said
    assert not list(tmp_path.rglob("metrics.jsonl"))


@pytest.mark.parametrize(
    "args", [["--ema", "0.9"], ["--accumulate", "2"], ["--precision", "bfloat16"]], ids=str
)
def test_an_option_without_effect_is_refused_with_status_2(args, tmp_path):
    """A perceptron has no gradient whose weights could be averaged, cast or accumulated."""
    done = run(*args, "--workdir", "run", script=PERCEPTRON, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {args[0]} has no effect on the learner of this experiment. Leave it out.\n"
    )
    assert not list(tmp_path.rglob("checkpoints"))


def test_an_experiment_adds_limits_of_its_own():
    @dataclasses.dataclass(frozen=True)
    class Config(training.Config):
        limits = training.Config.limits | {"folds": (2, 10), "radius": training.NOT_NEGATIVE}
        folds: int = 10
        radius: float | None = None

    assert Config(folds=2, radius=0).radius == 0
    for wrong, message in (
        ({"folds": 1}, "folds must be at least 2; it is 1"),
        ({"folds": 11}, "folds must be at most 10; it is 11"),
        ({"radius": -0.5}, "radius must be at least 0; it is -0.5"),
        ({"seeds": 0}, "seeds must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            Config(**wrong)


def test_a_set_that_is_not_prepared_names_the_command_that_prepares_it(tmp_path):
    env = {"TFDS_DATA_DIR": str(tmp_path / "nothing")}
    done = alone(MLP, "--dataset", "mnist", cwd=tmp_path, env=env)
    assert done.returncode == 2
    assert "'mnist' is not prepared" in done.stderr
    assert "tfds build mnist" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3


def test_a_run_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = run(*QUICK, "--workdir", tmp_path / "file" / "run", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert "--workdir" in done.stderr


def test_a_run_folder_of_another_config(tmp_path, without_curves):
    assert run(*QUICK, "--workdir", tmp_path / "run", cwd=tmp_path).returncode == 0
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    done = run(*QUICK, "--workdir", tmp_path / "run", "--seed", "7", cwd=tmp_path)
    assert done.returncode == 2
    assert "seed was 0 and is 7" in done.stderr
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_a_non_finite_loss_aborts_the_run(tmp_path):
    done = run("--steps", "9", "--learning-rate", "1e30", "--workdir", "run", cwd=tmp_path)
    assert done.returncode == 1
    assert "not a finite number at step" in done.stderr


SOME_SEEDS_DIVERGE = """
import dataclasses
import jax
import jax.numpy as jnp
from dlcourse import data, learners, losses, models, optim, training


def experiment(config):
    rule = config.rule_of(optim.sgd(0.1))
    learner = learners.supervised(models.MLP((10,)), losses.softmax_cross_entropy, rule)

    def init(key, batch):
        state, lost = learner.init(key, batch), jax.random.bernoulli(key)
        lose = lambda leaf: jnp.where(lost, jnp.nan, leaf)
        return state.replace(params=jax.tree.map(lose, state.params))

    return training.Experiment(learner._replace(init=init), data.images("digits"))


if __name__ == "__main__":
    training.main(experiment, training.Config)
"""


def test_seeds_that_diverge_are_named_and_are_in_no_mean(tmp_path, without_curves):
    """The weights of some of the six are not numbers; all their predictions are the first class."""
    script = tmp_path / "some.py"
    script.write_text(SOME_SEEDS_DIVERGE)
    options = ["--seed", "3", "--seeds", "6", "--steps", "5", "--workdir", "run", "--no-progress"]
    done = run(*options, script=script, cwd=tmp_path)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    lost = summary["diverged_seeds"]
    assert 0 < len(lost) < 6
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {len(lost)} of 6 seeds diverged: {', '.join(map(str, lost))}. "
        "Every mean is over the others.\nWhat is finished is in run.\n"
    )
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    for row in [*summary["metrics"].values(), *map(json.loads, lines)]:
        for name in ("loss", "accuracy"):
            values = row[name]["values"]
            assert [seed for seed, value in enumerate(values, 3) if value is None] == lost
            others = [value for value in values if value is not None]
            assert row[name]["mean"] == pytest.approx(sum(others) / len(others))


def test_a_run_shows_its_results_and_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "draw_curves", curves.draw_curves)  # other tests leave them out
    done = run(*QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs" / "mnist_mlp").iterdir()
    assert f"runs/mnist_mlp/{folder.name}" in done.stdout
    assert re.search(r"accuracy\s+│\s+\S+\s+│\s+\S+\s+│\s+\S+", done.stdout)
    assert {p.name for p in (folder / "figures").iterdir()} == {
        "curves.png",
        "confusion.png",
        "mistakes.png",
    }


def test_devices_that_are_not_here(tmp_path):
    done = alone(MLP, *QUICK, cwd=tmp_path, env={"JAX_PLATFORMS": "cuda"})
    assert done.returncode == 2
    assert done.stderr.startswith("error: The devices of JAX_PLATFORMS=cuda cannot be used: ")
    assert len(done.stderr.splitlines()) == 1


def test_memory_that_is_exhausted(tmp_path, monkeypatch):
    """The message says what to lower."""

    def init(programs):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 7 bytes.")

    monkeypatch.setattr(Programs, "init", init)
    done = run(*QUICK, "--workdir", "run", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: Memory is exhausted (RESOURCE_EXHAUSTED: Out of memory")
    assert "Lower --batch-size, --seeds or the size of the model" in done.stderr


LONG = [
    "--steps", "3000", "--hidden", "16", "--batch-size", "16", "--no-progress",
    "--checkpoint-every", "300 steps", "--evaluate-every", "150 steps",
]  # fmt: skip


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, without_curves):
    folder = tmp_path_factory.mktemp("whole")
    assert run(*LONG, "--workdir", "run", cwd=folder, script=PLAIN).returncode == 0
    return folder / "run"


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, marks=pytest.mark.long),
        pytest.param(signal.SIGINT, marks=pytest.mark.long),
        pytest.param(signal.SIGKILL, marks=pytest.mark.long),
    ],
)
def test_a_run_killed_by_a_signal_resumes_to_the_same_end(number, uninterrupted, tmp_path):
    """Resumed by another process than the one that was killed, which compiles its own programs."""
    command = [sys.executable, str(PLAIN), *LONG, "--workdir", "run"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    metrics = tmp_path / "run" / "metrics.jsonl"
    limit = time.monotonic() + 120
    while not list((tmp_path / "run").glob("checkpoints/*00")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 75, said
        assert "resumes it" in said
        assert "Traceback" not in said
    assert not (tmp_path / "run" / "summary.json").exists()
    done = run(*LONG, "--workdir", "run", cwd=tmp_path, script=PLAIN)
    assert done.returncode == 0, done.stderr
    assert "Resuming from step" in done.stdout
    assert metrics.read_bytes() == (uninterrupted / "metrics.jsonl").read_bytes()
    ends = [
        json.loads((folder / "summary.json").read_text())["metrics"]
        for folder in (tmp_path / "run", uninterrupted)
    ]
    assert ends[0] == ends[1]


def test_importing_loads_nothing_heavy():
    """Nothing heavy is imported until it is used."""
    heavy = (
        "tensorflow",
        "tensorflow_datasets",
        "matplotlib",
        "sklearn",
        "grain",
        "orbax",
        "torch",
    )
    code = (
        "import sys, dlcourse.training, dlcourse.models, dlcourse.learners, dlcourse.data, "
        f"dlcourse.analysis; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
