"""The cache of decoded sets: full disks, unwritable folders, signals, killed processes."""

import fcntl
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple

import numpy as np
import pytest

from dlcourse import data
from dlcourse.data import cache, tfds
from dlcourse.errors import STOPPED, Stopped
from dlcourse.training.run.interruption import listen
from tests.data.prepared import prepare, rows

LIKE = {"image": ((50, 20), np.uint8), "label": ((), np.int32)}


class Images:
    """Images full of their number; calls `during(number)` before each."""

    def __init__(self, count, during=lambda number: None):
        self.count, self.during, self.read = count, during, []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.during(index)
        self.read.append(index)
        return {"image": np.full((50, 20), index % 256, np.uint8), "label": np.int32(index)}


def write(place, source, meta=()):
    cache.write("own", source, LIKE, {"sizes": list(meta)}, place)


def test_what_is_written_is_read(tmp_path):
    """2,011 examples are several blocks, the last a part of one."""

    def sometimes(number):
        if number % 700 == 3:
            raise OSError("image file is truncated")

    write(tmp_path / "own", Images(2011, sometimes), meta=[2011])
    decoded = cache.read(tmp_path / "own")
    assert decoded.meta == {"sizes": [2011]}
    assert decoded.damaged == dict.fromkeys((3, 703, 1403), "image file is truncated")
    expected = np.arange(2011)
    expected[[3, 703, 1403]] = decoded.arrays["label"][3]  # one that can be read stands in
    assert decoded.arrays["label"].dtype == np.int32
    np.testing.assert_array_equal(decoded.arrays["label"], expected)
    pixels = np.broadcast_to(expected[:, None, None].astype(np.uint8), (2011, 50, 20))
    np.testing.assert_array_equal(decoded.arrays["image"], pixels)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["own"]


def test_another_process_may_have_been_first(tmp_path):
    write(tmp_path / "own", Images(5), meta=[1])
    write(tmp_path / "own", Images(5), meta=[2])
    assert cache.read(tmp_path / "own").meta == {"sizes": [1]}
    assert not [*tmp_path.glob("decoding-*")]


@pytest.mark.parametrize("file", ["image.npy", "meta.json", "label.npy"])
def test_a_broken_set_is_written_again(file, tmp_path):
    write(tmp_path / "own", Images(5), meta=[1])
    with (tmp_path / "own" / file).open("r+") as broken:
        broken.truncate(20)
    assert cache.read(tmp_path / "own") is None
    write(tmp_path / "own", Images(5), meta=[2])
    assert cache.read(tmp_path / "own").meta == {"sizes": [2]}


@pytest.fixture
def given(tmp_path, monkeypatch):
    """A set of 24 images in memory, 16 bytes each."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "sets"))
    monkeypatch.setattr(tfds, "cache_folder", lambda: tmp_path / "cache" / "sets")
    prepare(tmp_path / "sets", {"train": rows(24)})
    return tmp_path / "cache"


def streams_with_one_line(capsys, why):
    found = data.images("given")
    assert not found.in_memory
    np.testing.assert_array_equal(found.read(np.arange(24))["image"][:, 0, 0, 0], np.arange(24))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "'given' is streamed, because it cannot be kept decoded in" in lines[0]
    assert why in lines[0]


def test_a_set_for_which_there_is_no_room_is_streamed(given, capsys, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6))
    streams_with_one_line(capsys, "it takes 0.07 GB, and 0.00 GB are free")
    assert not [*given.glob("sets/decoding-*")]


def test_a_disk_that_fills_while_a_set_is_decoded_ends_nothing(given, capsys):
    """A limit for the size of a file stands for the end of the disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))  # the images take 512 bytes
    try:
        found = data.images("given")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not found.in_memory
    assert "(File too large)" in capsys.readouterr().err
    assert not [*given.glob("sets/decoding-*")]


def test_a_cache_that_cannot_be_made_is_done_without(given, capsys):
    given.write_text("a file where the folder should be")
    streams_with_one_line(capsys, "Not a directory")


def hold(folder: pathlib.Path):
    folder.mkdir(parents=True)
    file = (folder / "lock").open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def test_folders_of_dead_processes_are_removed(tmp_path):
    with hold(tmp_path / "decoding-dead"):
        pass
    old, new = tmp_path / "tmpolder", tmp_path / "tmpnewer"  # of a version without locks
    old.mkdir()
    new.mkdir()
    os.utime(old, (0, 0))
    with hold(tmp_path / "decoding-alive"):
        write(tmp_path / "own", Images(5))
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {
        "own", "decoding-alive", "tmpnewer",
    }  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_decoding_within_an_example(number, tmp_path):
    def during(index):
        if index == 40:
            os.kill(os.getpid(), number)
        if index >= 40:
            time.sleep(0.02)

    source = Images(20_000, during)
    with listen() as interruption, pytest.raises(Stopped, match=f"by {number.name} while .*'own'"):
        write(tmp_path / "own", source)
    assert interruption.signal == number.name  # the run learns of it too
    assert Stopped.exit_status == STOPPED
    assert len(source.read) < 5000
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


PROGRAM = """
import signal, sys, time, pathlib, numpy as np
from dlcourse.data import cache
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
class Slow:
    def __len__(self): return 10_000
    def __getitem__(self, index):
        print(index, flush=True)
        time.sleep(0.05)
        return {"label": np.int32(index)}
cache.write("own", Slow(), {"label": ((), np.int32)}, {}, pathlib.Path(sys.argv[1]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_stopped_leaves_nothing_for_long(number, tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "own")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdout.readline()
        assert len([*tmp_path.glob("decoding-*")]) == 1
        write(tmp_path / "other", Images(5))  # while that process is at work
        assert len([*tmp_path.glob("decoding-*")]) == 1
        process.send_signal(number)
        begun = time.monotonic()
        process.communicate(timeout=60)
        assert time.monotonic() - begun < 5
    assert process.returncode != 0
    assert len([*tmp_path.glob("decoding-*")]) == (number == signal.SIGKILL)
    write(tmp_path / "own", Images(5))
    assert not [*tmp_path.glob("decoding-*")]


def test_no_signal_is_taken_from_who_ignores_it(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        write(tmp_path / "own", Images(50, lambda i: i or os.kill(os.getpid(), signal.SIGINT)))
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(cache.read(tmp_path / "own").arrays["label"]) == 50


def test_a_failing_disk_is_no_damaged_example(tmp_path):
    def during(index):
        if index == 3:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        write(tmp_path / "own", Images(9, during))
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
