"""Predictions of a run on images of one's own, exported models, and the list of runs."""

import json

import jax
import jax.export
import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from dlcourse import data, training
from dlcourse.data.examples import as_examples
from dlcourse.errors import UsageError
from dlcourse.training.commands.export import export
from tests.kinds import KINDS, Config
from tests.training.commands import calls
from tests.training.commands.calls import run

pytestmark = pytest.mark.usefixtures("without_curves")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, without_curves):
    place = tmp_path_factory.mktemp("runs")
    options = ["--hidden", "8", "--steps", "12", "--no-progress", "--seeds", "2"]
    assert run(*options, "--workdir", "mlp/first", cwd=place).returncode == 0
    return place / "mlp" / "first"


@pytest.fixture(scope="module")
def trained(folder):
    return training.load(folder)


def test_predictions_are_the_softmax_of_the_outputs_by_class(trained):
    digits = trained.experiment.data
    images = digits.read(digits.splits["test"][:5])["image"]
    for seed in range(2):
        logits = np.asarray(trained.apply({"image": images}, seed=seed), float)
        expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        for found, row in zip(trained.predict(images, seed=seed), expected, strict=True):
            assert [*found.values()] == sorted(found.values(), reverse=True)
            for number, name in enumerate(digits.classes):
                assert found[name] == pytest.approx(row[number], rel=1e-5)


def test_images_take_the_form_that_the_set_has():
    x = np.array([[[[0.0], [0.5], [1.0]]]], np.float32)
    labels = np.zeros(12, int)
    for kind, expected in ((np.uint8, [0, 128, 255]), (np.uint16, [0, 32768, 65535])):
        own = data.from_arrays({"image": np.zeros((12, 1, 3), kind), "label": labels})
        found = as_examples(own, x)["image"]
        assert found.dtype == kind
        assert found.reshape(-1).tolist() == expected
        again = as_examples(own, np.array([0, 128, 255], np.uint8).reshape(1, 1, 3, 1))["image"]
        np.testing.assert_allclose(again.reshape(-1), expected, rtol=5e-3)
    floats = data.from_arrays({"image": np.zeros((12, 1, 3)), "label": labels})
    given = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3, 1)
    assert as_examples(floats, given)["image"].reshape(-1) == pytest.approx([0, 0.2, 1])
    with pytest.raises(UsageError, match=r"have the shape \[2, 3, 1\]; those of 'own' have \[1, 3"):
        as_examples(own, np.zeros((5, 2, 3, 1)))
    with pytest.raises(UsageError, match="hold episode, index and no image"):
        as_examples(data.episodes(2, 2), x)


def test_image_files_are_predicted(trained, folder, tmp_path):
    digits = trained.experiment.data
    images = digits.read(digits.splits["test"][:3])["image"]
    grey = np.round(255 * images[..., 0]).astype(np.uint8)
    for number, image in enumerate(grey):
        big = Image.fromarray(image).resize((16, 16), Image.Resampling.NEAREST)
        (big if number else Image.fromarray(image)).save(tmp_path / f"{number}.png")
    files = [f"{number}.png" for number in range(3)]
    done = calls.training("predict", folder, *files, "--most", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == files
    best = list(trained.predict(grey[:1, ..., None])[0].items())[:2]
    assert lines[0].endswith(", ".join(f"{name} {100 * p:.1f} %" for name, p in best))
    (tmp_path / "text.png").write_text("no image")
    for wrong, words in (("none.png", "cannot be read (No such file"),
                         ("text.png", "cannot be read: no format that Pillow reads")):  # fmt: skip
        done = calls.training("predict", folder, wrong, cwd=tmp_path)
        assert done.returncode != 0
        assert words in done.stderr


ELSEWHERE = """
import json, pathlib, sys
import jax, numpy as np
for name in ("dlcourse", "flax", "optax"):
    sys.modules[name] = None
program = jax.export.deserialize(pathlib.Path("out/apply.stablehlo").read_bytes())
np.save("logits.npy", program.call({"image": np.load("images.npy")}))
"""


def test_an_exported_model_needs_jax_alone(trained, folder, tmp_path):
    done = calls.training("export", folder, "--out", "out", "--seed", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    signature = json.loads((tmp_path / "out" / "signature.json").read_text())
    assert signature["inputs"] == {"image": "float32[examples, 8, 8, 1]"}
    assert signature["outputs"] == "float32[examples,10]"
    digits = trained.experiment.data
    images = digits.read(digits.splits["test"][:7])["image"]
    np.save(tmp_path / "images.npy", images)
    assert calls.alone("-c", "import jax.export\n" + ELSEWHERE, cwd=tmp_path).returncode == 0
    expected = trained.apply({"image": images}, seed=1)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, rtol=1e-5, atol=1e-6)
    weights = safetensors.numpy.load_file(tmp_path / "out" / "weights.safetensors")
    assert weights.keys() == {f"Dense_{n}/{w}" for n in range(2) for w in ("kernel", "bias")}
    np.testing.assert_array_equal(
        weights["Dense_1/kernel"], trained.by_seed()[1].params["Dense_1"]["kernel"]
    )


def test_every_network_of_a_run_is_exported(gan, tmp_path):
    lines = list(export(gan, tmp_path))
    weights = safetensors.numpy.load_file(tmp_path / "weights.safetensors")
    assert {name.partition("/")[0] for name in weights} == {"generator", "discriminator"}
    assert f"{sum(array.size for array in weights.values()):,} weights" in lines[0]
    program = jax.export.deserialize((tmp_path / "apply.stablehlo").read_bytes())
    numbers = np.arange(3, dtype=np.int32)
    np.testing.assert_allclose(
        program.call({"index": numbers}), gan.apply({"index": numbers}), rtol=1e-5, atol=1e-6
    )


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    config = Config(workdir=tmp_path_factory.mktemp("gan"), steps=2)
    return training.run(KINDS["gan"], config, name="gan", silent=True)


def test_what_is_no_classifier_is_refused(gan):
    with pytest.raises(UsageError, match=r"holds no classifier; use `run\.apply`"):
        gan.predict(np.zeros((3, 8, 8, 1), np.float32))


def test_runs_are_listed(folder, trained, capsys, tmp_path):
    place = folder.parent.parent
    unfinished = place / "mlp" / "second"
    (unfinished / "checkpoints" / "7").mkdir(parents=True)
    (unfinished / "config.json").write_text((folder / "config.json").read_text())
    (place / "broken").mkdir()
    (place / "broken" / "config.json").write_text("{")
    done = calls.training("list", place, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[1]: line for line in done.stdout.splitlines() if len(line.split()) > 3}
    accuracy = np.mean(trained.summary["metrics"]["test"]["accuracy"]["values"])
    assert "finished" in lines["mlp/first"]
    assert f"{accuracy:.4g}"[:4] in done.stdout
    assert "unfinished" in lines["mlp/second"]
    assert " 7 " in lines["mlp/second"]
    assert "damaged" in done.stdout
    done = calls.training("list", tmp_path / "none", cwd=tmp_path)
    assert done.returncode == 2
    assert "There is no folder" in done.stderr
