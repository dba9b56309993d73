"""Checkpoints that were damaged, cut short or interrupted, and run folders that refuse."""

import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time

import chex
import jax
import numpy as np
import pytest

from dlcourse.errors import UsageError, UserError
from dlcourse.training.run.checkpoints import MANIFEST, Checkpoints, Damaged
from tests.training import runs
from tests.training.commands.calls import PLAIN, run

pytestmark = pytest.mark.usefixtures("without_curves", "shared_programs")


def train(folder, **fields):
    return runs.train("classifier", folder, **fields)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, without_curves, shared_programs):
    """A finished run; its checkpoints are of the steps 21 and 23."""
    return train(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def folder(whole, tmp_path):
    """A copy to be damaged."""
    shutil.copytree(whole.folder, tmp_path / "run")
    return tmp_path / "run"


def data_files(step):
    return sorted((f for f in step.rglob("*") if f.is_file()), key=lambda f: f.stat().st_size)


def truncate(step):
    file = data_files(step)[-1]
    file.write_bytes(file.read_bytes()[:-7])


def flip_a_bit(step):
    file = max((step / "state").rglob("d/*"), key=lambda f: f.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def remove_a_file(step):
    data_files(step)[-1].unlink()


def remove_the_manifest(step):
    (step / MANIFEST).unlink()


def spoil_the_manifest(step):
    (step / MANIFEST).write_text('{"state')


def empty(step):
    shutil.rmtree(step)
    step.mkdir()


DAMAGES = [
    truncate, flip_a_bit, remove_a_file, remove_the_manifest, spoil_the_manifest, empty,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_and_the_one_before_used(damage, whole, folder, capsys):
    damage(folder / "checkpoints" / "23")
    result = train(folder)
    said = capsys.readouterr().out
    assert "checkpoints/23 is damaged" in said or "checkpoints/23 is incomplete" in said
    assert [row["step"] for row in result.rows if row["split"] == "test"] == [23]
    chex.assert_trees_all_equal(result.state, whole.state)
    assert (folder / "damaged" / "23-0").is_dir()
    assert (folder / "checkpoints" / "23").is_dir()


def test_without_an_undamaged_checkpoint_nothing_is_changed(folder):
    for step in (21, 23):
        truncate(folder / "checkpoints" / str(step))
    before = sorted(folder.rglob("*"))
    with pytest.raises(UserError, match="checkpoints/23 is damaged"):
        train(folder)
    assert [f for f in sorted(folder.rglob("*")) if "events" not in f.name] == [
        f for f in before if "events" not in f.name
    ]


def test_a_half_deleted_old_checkpoint_is_deleted(folder, whole):
    """Orbax deletes the oldest file by file, and may be killed then."""
    half = folder / "checkpoints" / "14"
    shutil.copytree(folder / "checkpoints" / "21", half)
    for file in data_files(half)[::2]:
        file.unlink()
    result = train(folder)
    chex.assert_trees_all_equal(result.state, whole.state)
    assert sorted(step.name for step in half.parent.iterdir()) == ["21", "23"]


def test_a_checkpoint_of_another_shape_is_not_a_damaged_one(tmp_path):
    state = {"w": np.arange(7, dtype=np.float32)}
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(3, state, {"seconds": 1.0})
    with Checkpoints(tmp_path) as checkpoints:
        sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
        like = {"v": jax.ShapeDtypeStruct((7,), np.float32, sharding=sharding)}
        with pytest.raises(UserError, match="cannot be restored") as raised:
            checkpoints.restore(like)
        assert not isinstance(raised.value, Damaged)
        other = {"w": jax.ShapeDtypeStruct((5,), np.float32, sharding=sharding)}
        message = r"it has an array of shape \(7,\) where this run needs \(5,\)\. The config or"
        with pytest.raises(UserError, match=message) as raised:
            checkpoints.restore(other)
        assert "\n" not in str(raised.value)
        like = {"w": like["v"]}
        step, restored, progress = checkpoints.restore(like)
    assert (step, progress) == (3, {"seconds": 1.0})
    np.testing.assert_array_equal(restored["w"], state["w"])
    assert (tmp_path / "3").is_dir()


SAVER = """
import pathlib, sys
import jax, numpy as np
from dlcourse.training.run.checkpoints import Checkpoints
place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
like = {name: jax.ShapeDtypeStruct((200_003,), np.float32, sharding=place) for name in "abc"}
with Checkpoints(pathlib.Path(sys.argv[1])) as checkpoints:
    found = checkpoints.restore(like)
    step = found[0] if found else 0
    if found:
        assert all((leaf == step).all() for leaf in found[1].values()), step
    print("restored", step, flush=True)
    if len(sys.argv) > 2:
        sys.exit()
    while True:
        step += 1
        state = {name: jax.numpy.full((200_003,), float(step)) for name in "abc"}
        checkpoints.save(step, state, {"step": step})
        print(step, flush=True)
"""


@pytest.mark.long
def test_killed_at_random_moments_while_saving(tmp_path):
    """Each start restores what the one before had saved, checks every value, and saves on."""
    chance = random.Random(7)
    command = [sys.executable, "-c", SAVER, str(tmp_path / "checkpoints")]
    last = 0
    for _ in range(5):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            restored = int(process.stdout.readline().split()[1])
            # The newest may have been on its way; the one before it was on the disk.
            assert restored >= last - 1
            for _ in range(3):
                last = int(process.stdout.readline())
            time.sleep(chance.uniform(0, 0.15))
        finally:
            process.send_signal(signal.SIGKILL)
            rest, _ = process.communicate(timeout=60)
        last = int((rest.splitlines() or [last])[-1])
    done = subprocess.run([*command, "end"], capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout.split()[1]) >= last - 1


def test_a_second_run_in_one_folder_is_refused(tmp_path):
    """Until the first has ended, however it ended."""
    holder = subprocess.Popen(
        [sys.executable, "-c", "import fcntl, sys, time; f = open(sys.argv[1], 'w');"
         "fcntl.flock(f, fcntl.LOCK_EX); f.write('process 7 on elsewhere'); f.flush();"
         "print(flush=True); time.sleep(100)", str(tmp_path / "lock")],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        holder.stdout.readline()
        with pytest.raises(UsageError, match="in use by process 7 on elsewhere"):
            train(tmp_path, steps=3)
    finally:
        holder.kill()
        holder.communicate()
    assert not (tmp_path / "config.json").exists()
    train(tmp_path, steps=3)  # the file is still there, and nobody holds it


needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="small and read-only file systems need root and unshare",
)
TRAIN = f"{sys.executable} {PLAIN} --no-progress --workdir run "


def mounted(script, tmp_path):
    """Runs a shell script in a mount namespace of its own."""
    available = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    if available.returncode:
        pytest.skip("this machine allows no mount namespaces")
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", script], cwd=tmp_path, capture_output=True, text=True,
        timeout=200, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.long
@needs_mounts
def test_a_disk_that_is_full_when_saving(tmp_path):
    """One line names the cause; with room again the same command finishes the run."""
    (tmp_path / "run").mkdir()
    # A checkpoint takes 0.6 MB, so there is room for two.
    options = [
        "--hidden", "256", "128", "--steps", "60", "--checkpoint-every", "20 steps",
        "--evaluate-every", "100%",
    ]  # fmt: skip
    done = mounted(
        f"""mount -t tmpfs -o size=1500k tmpfs run
        {TRAIN} {shlex.join(options)}
        echo status $?
        cp -r run saved""",
        tmp_path,
    )
    assert "status 1" in done.stdout, done.stdout + done.stderr
    assert "No space left" in done.stderr, done.stderr
    assert "make room" in done.stderr
    again = run(*options, "--no-progress", "--workdir", "saved", cwd=tmp_path, script=PLAIN)
    assert again.returncode == 0, again.stderr
    assert "Resuming from step" in again.stdout


@needs_mounts
def test_a_run_folder_that_becomes_read_only(tmp_path):
    options = ["--steps", "4", "--no-progress", "--workdir", "run"]
    assert run(*options, cwd=tmp_path, script=PLAIN).returncode == 0
    done = mounted(
        f"""mount --bind run run; mount -o remount,ro,bind run
        {TRAIN} --steps 4; echo status $?""",
        tmp_path,
    )
    assert done.stdout.split() == ["status", "2"]
    assert "cannot be written (Read-only file system)" in done.stderr
