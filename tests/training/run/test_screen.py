"""The line of progress, on a terminal and in a log."""

import re

import pytest

from dlcourse import training
from dlcourse.training.run import screen
from dlcourse.training.run.screen import Screen
from tests.kinds import KINDS, Config

ROW = {"step": 20, "split": "train", "loss": 0.25}


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so."""
    now = [0.0]
    monkeypatch.setattr(screen.time, "monotonic", lambda: now[0])
    return now


def test_a_log_shows_examples_per_second_and_the_time_left(clock, capsys):
    shown = Screen(total=100, live=False)
    shown.show(10, 1234.4)
    clock[0] = 7.0  # ten steps in seven seconds: 80 steps are left
    shown.metrics(ROW)
    shown.show(20, 1234.4)
    assert capsys.readouterr().out.strip() == (
        "step 20/100 · 0:56 left · 1,234 examples/s · train loss 0.25"
    )
    clock[0] = 11.0  # sooner than the next line is due
    shown.show(30, 1234.4)
    assert not capsys.readouterr().out
    clock[0] = 4000.0
    shown.show(30, 1234.4)
    assert "step 30/100 · 3:53:20 left · " in capsys.readouterr().out


def test_a_terminal_shows_examples_per_second_and_the_time_left(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("TERM", "xterm")
    with Screen(total=100, live=True) as shown:
        now = [0.0]
        monkeypatch.setattr(shown._progress, "get_time", lambda: now[0])
        for step in (10, 20, 30):
            now[0] += 7.0
            shown.metrics(ROW)
            shown.show(step, 1234.4)
        shown._progress.refresh()
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().out)
    line = [line for line in re.split("[\r\n]", plain) if "30/100" in line][-1]
    assert "1,234 examples/s · train loss 0.25" in line
    assert re.search(r"0[01]:\d\d left", line)


def test_a_run_shows_its_rate(tmp_path, capsys, monkeypatch, without_curves):
    monkeypatch.setattr(screen, "QUIET_SECONDS", -1.0)
    config = Config(workdir=tmp_path)
    result = training.run(KINDS["classifier"], config, name="classifier")
    said = capsys.readouterr().out
    line = next(line for line in said.splitlines() if line.startswith("step 20/23"))
    assert re.search(
        r"\d:\d\d left · [\d,]+ examples/s · train .*loss .* · validation .*loss", line
    )
    rate = f"{result.summary['examples_per_second']:,.0f} examples/s"
    assert f"23 steps, {rate}. Seconds: " in said
    assert "compiling" in said


def test_parts_and_members_are_shown_by_their_minimum_and_maximum():
    shown = Screen(total=10, live=False)
    row = {"step": 3, "split": "train", "loss/a": 0.5, "loss/b": {"mean": 2.0, "std": 0.1}}
    shown.metrics(row | {"loss/c": None, "cost": 7.0})
    assert shown._texts["train"] == "train loss 0.5 to 2 cost 7"


def test_without_rich_the_lines_are_plain(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "rich.console", None)
    monkeypatch.setattr(screen, "QUIET_SECONDS", -1.0)
    with Screen(total=100, live=True) as shown:
        shown.metrics(ROW)
        shown.show(20, 7.0)
    assert capsys.readouterr().out == "step 20/100 · 7 examples/s · train loss 0.25\n"
