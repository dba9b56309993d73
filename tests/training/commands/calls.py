"""Commands as a user gives them: in this process, or in one of their own.

A process of its own takes seconds to import everything. It is needed where the command must find
other devices or another environment, or is to be killed.
"""

import contextlib
import io
import os
import runpy
import subprocess
import sys

import pytest

from dlcourse.training import __main__ as training_command
from dlcourse.training.commands import process
from tests import ROOT

MLP = ROOT / "experiments" / "foundations" / "mnist_mlp.py"
PLAIN = ROOT / "tests" / "plain.py"


def run(*args, cwd, script=MLP):
    """Executes an experiment file with these arguments."""
    path = str(script)
    return _here(lambda: runpy.run_path(path, run_name="__main__"), path, args, cwd)


def training(*args, cwd):
    """`python -m dlcourse.training`."""
    return _here(lambda: sys.exit(training_command.main()), "dlcourse.training", args, cwd)


def alone(*args, cwd, env=(), timeout=240):
    """`python *args` in a process of its own; a traceback is never an answer."""
    done = subprocess.run(
        [sys.executable, *map(str, args)], cwd=cwd, env=os.environ | dict(env),
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def _here(command, name, args, cwd):
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", [name, *map(str, args)])
        # Its settings are of the whole process: logging, the compilation cache.
        patched.setattr(process, "prepare_process", lambda *_: None)
        patched.chdir(cwd)
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as left,
        ):
            command()
    status = left.value.code or 0
    return subprocess.CompletedProcess(list(args), status, out.getvalue(), err.getvalue())
