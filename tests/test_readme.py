"""The README's map: every file that it names is there."""

import re

import pytest

from tests import ROOT

README = (ROOT / "README.md").read_text()
HEADER = re.compile(r"^\| system \|.*\n\|[-|]+\n((?:\|.*\n)+)", re.M)
FOLDERS = (
    "",
    "dlcourse",
    "experiments",
    "experiments/foundations",
    "experiments/vision",
    "experiments/sequence",
    "experiments/generative",
    "experiments/acting",
)


def named() -> list[str]:
    """Files and tests of the map, and the files of every command."""
    rows = "".join(HEADER.findall(README))
    cells = re.findall(r"`([\w/]+(?:\.py|/)|test_\w+)`", rows)
    commands = re.findall(r"(?:experiments|launch|tests)/[\w/]+(?:\.\w+|/)", README)
    results = re.findall(r"`(\w+/\w+\.py)[ `]", README)
    return sorted({*cells, *commands, *results})


def test_the_map_is_found():
    assert sum(name.startswith("test_") for name in named()) > 20
    assert "mnist_mlp.py" in named()


@pytest.mark.parametrize("name", named())
def test_a_named_file_is_there(name):
    if name.startswith("test_"):
        assert list((ROOT / "tests").rglob(f"{name}.py"))
    else:
        assert any((ROOT / folder / name).exists() for folder in FOLDERS)


def test_every_experiment_is_named():
    for path in (ROOT / "experiments").glob("*/*.py"):
        assert path.name in README, path
