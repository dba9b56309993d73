"""The rooms of analysis: measure imports no other room, draw only measure, inspect both."""

import ast
import pathlib
import subprocess
import sys

import pytest

import dlcourse.analysis

ROOT = pathlib.Path(dlcourse.analysis.__file__).parent

# By room, the packages of this project that its files must not import.
FORBIDDEN = {
    "measure": ("analysis.draw", "analysis.inspect", "analysis.report", "figures"),
    "draw": ("analysis.inspect", "analysis.report", "models", "learner", "learners", "training"),
    "inspect": ("analysis.report",),
}


def imported(file: pathlib.Path) -> set[str]:
    """The modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_from_below(room):
    files = list((ROOT / room).glob("*.py"))
    assert len(files) > 5
    for file in files:
        for name in imported(file):
            for forbidden in FORBIDDEN[room]:
                assert not f"{name}.".startswith(f"dlcourse.{forbidden}."), (file.name, name)


def test_files_are_short():
    assert max(len(file.read_text().splitlines()) for file in ROOT.rglob("*.py")) <= 300


def test_analysis_imports_without_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = None; import dlcourse.analysis, dlcourse.figures"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
