"""Every experiment file: short, and each row of a comparison is an ordinary config."""

import ast
import dataclasses
import json

import pytest

from dlcourse.training.commands.compare import row_options
from dlcourse.training.commands.evaluate import from_json
from dlcourse.training.commands.parse import load_experiment, parse_command
from dlcourse.training.config import as_json
from tests import ROOT

EXPERIMENTS = sorted((ROOT / "experiments").glob("*/*.py"))
COMPARISONS = [path for path in EXPERIMENTS if "\ndef variants(" in path.read_text()]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_is_short_and_begins_with_its_docstring(path):
    text = path.read_text()
    docstring, *_ = ast.parse(text).body
    assert ast.get_docstring(ast.parse(text))
    lines = [line.strip() for line in text.splitlines()[docstring.end_lineno :]]
    code = [line for line in lines if line and not line.startswith("#")]
    assert len(code) <= 100


def test_the_comparisons_are_found():
    assert len(COMPARISONS) >= 8


@pytest.mark.parametrize("path", COMPARISONS, ids=lambda path: path.stem)
def test_a_row_is_an_ordinary_config(path):
    """`config.json` alone rebuilds it, and naming its options on the command line gives it."""
    module = load_experiment(path)
    rows = module.variants(module.Config())
    options = row_options(module.Config(), rows)
    assert options
    for row in rows.values():
        written = json.loads(json.dumps(as_json(row)))
        assert from_json(module.Config, written) == row
    *_, last = rows.values()
    args = [f"--{name.replace('_', '-')}={getattr(last, name)}" for name in options]
    command = parse_command(module.Config, args, path.name)
    assert command.given == options
    changed = {name: getattr(last, name) for name in options}
    assert command.config == dataclasses.replace(module.Config(), **changed)
    # The experiment of a row is built and traced like any other.
    small = dataclasses.replace(command.config, steps=2, batch_size=1, seeds=1)
    learner = module.experiment(small).learner
    assert callable(learner.apply)
