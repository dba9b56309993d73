"""The benchmark of scale: the options of benchmark and experiment, devices and saves."""

import sys

import pytest

from dlcourse.benchmark import scale
from dlcourse.benchmark.command import split_arguments
from dlcourse.benchmark.program import Session
from dlcourse.training.commands.parse import load_experiment
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
def test_options_after_two_dashes_go_to_the_experiment(given, expected, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmark", *given])
    assert split_arguments() == expected


def test_available_devices_and_saves_are_measured(monkeypatch):
    monkeypatch.setattr(scale, "CHUNKS", 2)
    monkeypatch.setattr(scale, "SAVES", 2)
    module = load_experiment(MLP)
    config = module.Config(hidden=(8,), dropout=0.0)
    # One session for both measurements: another would compile the same program again.
    session = Session(module, config, None, scale.CHUNK)
    monkeypatch.setattr(scale, "Session", lambda *_: session)
    options = scale.Options(MLP, only_devices=True)
    figures = scale.measure_scale(options, module, config)
    assert figures["experiment"] == "mnist_mlp"
    assert figures["step_ms_on_1"] > 0
    assert not any("ratio" in name for name in figures)
    saved = scale.saving(session)
    assert saved["save_ms"] > 0
