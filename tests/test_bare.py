"""A bare machine: training from Python with jax, flax, optax, orbax-checkpoint and numpy alone."""

import subprocess
import sys

from tests import ROOT

BARE = """
import importlib, importlib.util, pathlib, sys

import flax.linen  # it needs rich itself

MISSING = {missing!r}


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ImportError(f"{{name}} is not installed", name=name)


for name in list(sys.modules):
    if name.partition(".")[0] in MISSING:
        del sys.modules[name]
sys.meta_path.insert(0, Missing())

import dlcourse
import numpy as np
from dlcourse import data, training

spec = importlib.util.spec_from_file_location("mnist_mlp", {experiment!r})
mnist_mlp = importlib.util.module_from_spec(spec)
sys.modules["mnist_mlp"] = mnist_mlp
spec.loader.exec_module(mnist_mlp)

random = np.random.default_rng(0)
label = np.arange(120, dtype=np.int32) % 3
# Three classes, told apart by the row of pixels that is lit.
image = random.uniform(0, 0.3, (120, 3, 4, 1)).astype(np.float32)
image[np.arange(120), label] += 0.7
splits = {{
    "train": np.arange(80), "validation": np.arange(80, 100), "test": np.arange(100, 120)
}}
arrays = data.Dataset("arrays", {{"image": image, "label": label}}, splits, classes=tuple("abc"))
data.ImageSet.images = lambda config: arrays

config = mnist_mlp.Config(
    workdir=pathlib.Path("run"), hidden=(16,), dropout=0.0, learning_rate=0.05, batch_size=20,
    steps=40, patience=9,
)
run = training.run(mnist_mlp.experiment, config, name="mnist_mlp", file={experiment!r})
assert run.summary["metrics"]["test"]["accuracy"] == 1.0, run.summary
logits = run.apply({{"image": image[100:]}})
assert (np.argmax(logits, -1) == label[100:]).all()
assert run.measure("train")["accuracy"] == 1.0
again = training.run(mnist_mlp.experiment, config, name="mnist_mlp")
assert again.summary["metrics"] == run.summary["metrics"]
loaded = training.load("run")
assert np.array_equal(loaded.apply({{"image": image[100:]}}), logits)
imported = sorted({{name.partition(".")[0] for name in sys.modules}} & MISSING)
assert not imported, imported
"""

MISSING = {
    "tyro", "rich", "grain", "tensorflow_datasets", "matplotlib", "tensorboardX",
    "sklearn", "optuna", "scipy", "PIL", "pandas", "torch", "platformdirs",
    "sacrebleu", "safetensors", "tokenizers",
}  # fmt: skip


def test_an_experiment_trains_on_arrays_where_nothing_but_jax_is_installed(tmp_path):
    experiment = str(ROOT / "experiments" / "foundations" / "mnist_mlp.py")
    script = BARE.format(missing=MISSING, experiment=experiment).replace(
        f"file={experiment!r}", f"file=pathlib.Path({experiment!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Figures are skipped: matplotlib is not installed.") == 2
    assert "accuracy" in done.stdout
    assert not list((tmp_path / "run" / "figures").iterdir())
    assert (tmp_path / "run" / "metrics.jsonl").stat().st_size > 0
