"""Signals, also while Python cannot hear them."""

import os
import signal
import subprocess
import sys
import time

import pytest

from dlcourse.training.run.interruption import listen

DEAF = """
import hashlib
from dlcourse.training.run import interruption
interruption.DEAF_SECONDS = 0.5
with interruption.listen():
    print("listening", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"one", b"call", 2_000_000_000)  # for minutes, as compiling can
"""


FORKED = """
import os, signal, time
from dlcourse.training.run import interruption
interruption.DEAF_SECONDS = 0.2
with interruption.listen() as stop:
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    time.sleep(0.2)
    os.kill(child, signal.SIGTERM)
    time.sleep(1)
    os.kill(child, signal.SIGKILL)
    print("lives", bool(stop))
"""


def test_a_signal_to_a_forked_process_is_not_its_parents():
    """The child shares the parent's pipe, by which the kernel tells of signals."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "lives False\n")


def test_a_signal_is_a_request_and_a_second_interrupt_ends_at_once():
    before = signal.getsignal(signal.SIGTERM)
    with listen() as interruption:
        assert not interruption
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.signal == "SIGTERM"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_call_that_python_cannot_leave(number):
    with subprocess.Popen(
        [sys.executable, "-c", DEAF], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "listening\n"
        time.sleep(0.5)  # the call has begun
        process.send_signal(number)
        try:
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 75
    assert said == (
        "Stopped in a call that took more than 0.5 s, such as compiling. "
        "The last checkpoint is kept.\n"
    )
