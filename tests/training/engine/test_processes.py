"""Several real processes that train one model: stopped, killed, resumed by another number."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import chex
import pytest

from dlcourse import training
from dlcourse.errors import UsageError
from dlcourse.training.engine import processes
from dlcourse.training.engine.feed import local_rows
from dlcourse.training.engine.sharding import make_mesh
from tests import ROOT, slow

LAUNCH = [sys.executable, str(ROOT / "launch" / "local.py"), "--limit", "120"]
SLOW = [str(ROOT / "tests" / "slow.py"), "--no-progress"]


def environment():
    alone = {n: v for n, v in os.environ.items() if not n.startswith("DLCOURSE")}
    return alone | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}


class Run:
    """A launch in a session of its own; at the end all its processes are killed."""

    def __init__(self, count, folder, *options, devices=1, grace=20):
        many = [*LAUNCH, "-n", str(count), "--devices", str(devices), "--grace", str(grace), *SLOW]
        self.launch = subprocess.Popen(
            [*many, "--workdir", "run", *map(str, options)],
            cwd=folder, env=environment(), text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.folder = folder / "run"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.workers():
            process_kill(process)
        process_kill(self.launch.pid)
        self.launch.communicate()

    def workers(self):
        """The processes, by their number."""
        children = pathlib.Path(f"/proc/{self.launch.pid}/task/{self.launch.pid}/children")
        return [int(pid) for pid in children.read_text().split()] if children.exists() else []

    def wait_for_step(self, step):
        metrics, limit = self.folder / "metrics.jsonl", time.monotonic() + 100
        while not any(row["step"] >= step for row in rows(metrics)):
            assert self.launch.poll() is None, self.launch.stdout.read()
            assert time.monotonic() < limit
            time.sleep(0.02)

    def end(self):
        """Status, what was said, seconds from now."""
        begun = time.monotonic()
        said, _ = self.launch.communicate(timeout=120)
        assert "Traceback" not in said, said
        return self.launch.returncode, said, time.monotonic() - begun


def process_kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def rows(metrics):
    """The whole lines that are there."""
    text = metrics.read_text() if metrics.exists() else ""
    return [json.loads(line) for line in text.splitlines(True) if line.endswith("}\n")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, without_curves):
    """One process that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    config = slow.Config(workdir=folder / "run", pause=0.0, progress=False)
    with contextlib.chdir(folder):
        return training.run(slow.experiment, config, name="slow", silent=True)


@pytest.mark.long
@pytest.mark.timeout(280)
def test_stopped_killed_and_resumed_by_another_number_of_processes(whole, tmp_path, monkeypatch):
    """2 processes, SIGTERM to one; 1 with 2 devices, SIGTERM; 2, SIGKILL of one; 2 to the end."""
    for count, devices, number, which, step in (
        (2, 1, signal.SIGTERM, 1, 20),
        (1, 2, signal.SIGTERM, 0, 60),
        (2, 1, signal.SIGKILL, 0, 110),
    ):
        with Run(count, tmp_path, devices=devices) as run:
            run.wait_for_step(step)
            assert len(run.workers()) == count
            os.kill(run.workers()[which], number)
            status, said, seconds = run.end()
            assert status == 75, said
            print(f"{number.name} to process {which} of {count}: all ended after {seconds:.1f} s")
            assert seconds < 10
            assert re.search("process died|is gone|everything is saved", said), said
    with Run(2, tmp_path) as run:
        status, said, _ = run.end()
        assert status == 0, said
    assert "Resuming from step" in said

    # Each process read its own half: about as many examples, and no batch twice.
    reads = [len((tmp_path / f"reads-{i}").read_text().splitlines()) for i in (0, 1)]
    assert reads[1] < 0.75 * reads[0]  # process 0 was also alone for a while

    monkeypatch.chdir(tmp_path)  # where it notes what it reads
    resumed = training.load(tmp_path / "run", ROOT / "tests" / "slow.py")
    assert resumed.summary["steps"] == 200
    chex.assert_trees_all_close(resumed.state, whole.state, rtol=1e-4, atol=1e-6)
    for one, many in zip(
        rows(whole.folder / "metrics.jsonl"),
        rows(tmp_path / "run" / "metrics.jsonl"),
        strict=True,
    ):
        assert one.pop("split") == many.pop("split")
        assert one == pytest.approx(many, rel=1e-4)


@pytest.mark.long  # for its heartbeat to be missed, some 10 seconds pass
def test_a_process_that_hangs_ends_the_run(tmp_path):
    """The process lives, so no connection is closed; only its heartbeat stops."""
    heartbeat = 4
    with Run(2, tmp_path, "--heartbeat", heartbeat, grace=1) as run:
        run.wait_for_step(20)
        os.kill(run.workers()[1], signal.SIGSTOP)
        status, said, seconds = run.end()
        print(f"noticed after {seconds:.1f} s")
    assert status == 75, said
    assert seconds < 3 * heartbeat + 5
    assert not run.workers()


def test_rows_of_a_process_are_those_of_its_devices():
    assert local_rows(8, make_mesh("data=-1")).tolist() == list(range(8))


def test_an_error_in_one_process_ends_all(tmp_path):
    """Only the process that has the example can say what is wrong."""
    train = slow.experiment(slow.Config(workdir=tmp_path)).data
    fatal = int(train.batch_indices(30, 1, 8, 0)[0, -1])  # on process 1
    with Run(2, tmp_path, "--fatal", fatal) as run:
        status, said, _ = run.end()
    assert status == 1
    assert f"[1] error: Example {fatal} of 'digits' cannot be read" in said


def test_processes_need_to_know_each_other(monkeypatch):
    for name in (*processes.COUNTS, *processes.NUMBERS, processes.COORDINATOR):
        monkeypatch.delenv(name, raising=False)
    processes.connect(slow.Config())  # alone
    processes.connect(slow.Config(num_processes=1, process_id=0))
    with pytest.raises(UsageError, match="needs the address of process 0"):
        processes.connect(slow.Config(num_processes=2, process_id=0))
    with pytest.raises(UsageError, match="this is process None of None"):
        processes.connect(slow.Config(coordinator="127.0.0.1:1234"))
    with pytest.raises(UsageError, match="this is process 2 of 2"):
        processes.connect(slow.Config(coordinator="127.0.0.1:1", num_processes=2, process_id=2))
    monkeypatch.setenv(processes.NUM_PROCESSES, "two")
    with pytest.raises(UsageError, match="DLCOURSE_NUM_PROCESSES is 'two'"):
        processes.connect(slow.Config())


def test_a_process_that_waits_for_others_hears_a_signal(tmp_path):
    """Nobody answers at a port that was free a moment ago; JAX alone would wait for 300 s, deaf."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = ["--coordinator", address, "--num-processes", "2", "--process-id", "1"]
    with subprocess.Popen(
        [sys.executable, *SLOW, *options], cwd=tmp_path, env=environment(), text=True,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr.readline() == f"Waiting for the other processes at {address}.\n"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 75
    assert said == "Stopped before all processes were there; start it again.\n"


def test_a_process_alone_agrees_with_itself():
    assert processes.agree(5, True) == (5, True)
    assert processes.on_first(lambda: "here") == "here"
    assert not processes.others_are_gone(ValueError("UNAVAILABLE: Socket closed"))


def test_damaged_examples_are_skipped_and_counted(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = slow.Config(workdir=tmp_path / "run", pause=0.0, steps=20, skip_damaged=True)
    digits = slow.experiment(config).data
    fatal = int(digits.splits["test"][3])
    damaged = slow.Config(**{**vars(config), "fatal": fatal})
    result = training.run(slow.experiment, damaged, name="slow", silent=True)
    assert f"Example {fatal} of 'digits' cannot be read: not an image (1 skipped" in (
        capsys.readouterr().err
    )
    # The others count as before, each once: 449 of 450 test images.
    right = result.summary["metrics"]["test"]["accuracy"] * (len(digits.splits["test"]) - 1)
    assert right == pytest.approx(round(right), abs=1e-3)
