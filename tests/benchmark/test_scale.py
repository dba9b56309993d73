"""The benchmark of scale: whose an option is, and which devices are measured."""

import sys

import pytest

from dlcourse import benchmark
from dlcourse.benchmark import scale as benchmark_scale
from dlcourse.training.commands import command_line
from tests import ROOT

MLP = ROOT / "experiments" / "foundations" / "mnist_mlp.py"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a.py"], (["a.py"], [])),
        (["a.py", "--", "--steps", "3"], (["a.py"], ["--steps", "3"])),
        (["a.py", "--json", "f", "--"], (["a.py", "--json", "f"], [])),
        (["a.py", "--", "--mesh", "--", "x"], (["a.py"], ["--mesh", "--", "x"])),
    ],
)
def test_what_follows_two_dashes_is_the_experiments(given, expected, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmark", *given])
    assert benchmark.split_arguments() == expected


def test_devices_that_are_there_and_saves_are_measured(monkeypatch):
    monkeypatch.setattr(benchmark_scale, "CHUNKS", 2)
    monkeypatch.setattr(benchmark_scale, "SAVES", 2)
    module = command_line.load_experiment(MLP)
    config = module.Config(hidden=(8,))
    options = benchmark_scale.Options(MLP, only_devices=True)
    figures = benchmark_scale.measures(options, module, config)
    assert figures["experiment"] == "mnist_mlp"
    assert figures["step_ms_on_1"] > 0
    assert not any("ratio" in name for name in figures)
    saved = benchmark_scale.saving(benchmark.Session(module, config, None, 8))
    assert saved["save_ms"] > 0
