"""Starts one experiment on several processes of this machine, for development and tests.

python launch/local.py -n 2 experiments/foundations/mnist_mlp.py --epochs 5
python launch/local.py -n 2 --devices 4 experiments/foundations/mnist_mlp.py --mesh data=4,fsdp=2

Every option after the experiment file goes to the experiment. The exit status is that of the
processes: 0 done, 2 the command line was wrong, 75 stopped with everything saved (a signal came or
a process died): start it again, with as many processes as you like. `--restarts 5` does so itself.
"""

import argparse
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TextIO

STOPPED = 75
# Killed, aborted by JAX's heartbeat, or told by a signal: nothing that was saved is lost.
ENDED_FROM_OUTSIDE = {STOPPED, -signal.SIGKILL, -signal.SIGABRT, -signal.SIGTERM, -signal.SIGINT}


def main() -> int:
    options = parse()
    for attempt in range(options.restarts + 1):
        status = run_once(options)
        if status != STOPPED or attempt == options.restarts or stop_asked.is_set():
            return status
        print(f"launch: restart {attempt + 1} of {options.restarts}", flush=True)
    return status


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", "--processes", type=positive, required=True)
    parser.add_argument("--devices", type=positive, help="simulated CPU devices in each process")
    parser.add_argument("--restarts", type=int, default=0, help="how often to go on after a 75")
    parser.add_argument("--grace", type=float, default=20, metavar="SECONDS",
                        help="how long the others have once one has ended")  # fmt: skip
    parser.add_argument("--limit", type=float, metavar="SECONDS",
                        help="kill everything after this long, with status 124")  # fmt: skip
    parser.add_argument("--port", type=int, help="of the coordinator; a free one by default")
    parser.add_argument("--dry-run", action="store_true", help="print what would be started")
    parser.add_argument("experiment", type=pathlib.Path)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.experiment.is_file():
        parser.error(f"there is no experiment file {options.experiment}")
    return options


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return int(text)


def commands(options: argparse.Namespace) -> list[tuple[dict[str, str], list[str]]]:
    """Of each process what it finds in its environment, and its command."""
    command = [sys.executable, str(options.experiment), *options.arguments]
    port = options.port or free_port()
    shared = {
        "DLCOURSE_COORDINATOR": f"127.0.0.1:{port}",
        "DLCOURSE_NUM_PROCESSES": str(options.processes),
        "PYTHONUNBUFFERED": "1",
    }
    if options.devices:
        shared |= {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(options.devices)}
    return [
        ({**shared, "DLCOURSE_PROCESS_ID": str(number)}, command)
        for number in range(options.processes)
    ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


stop_asked = threading.Event()


def run_once(options: argparse.Namespace) -> int:
    """Starts all processes and waits for them; none outlives this call."""
    planned = commands(options)
    if options.dry_run:
        for environment, command in planned:
            print(*(f"{name}={value}" for name, value in environment.items()), shlex.join(command))
        return 0
    started = [
        subprocess.Popen(
            command, env=os.environ | environment, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )
        for environment, command in planned
    ]  # fmt: skip
    talkers = [
        threading.Thread(target=repeat, args=(process.stdout, number), daemon=True)
        for number, process in enumerate(started)
    ]

    def pass_on(number: int, frame: object) -> None:
        stop_asked.set()
        for process in started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    for talker in talkers:
        talker.start()
    try:
        late = wait(started, options)
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
        for process in started:
            process.wait()
        for talker in talkers:
            talker.join(timeout=5)
    statuses = [process.returncode for process in started]
    if any(statuses):
        print("launch: the processes ended with", *statuses, flush=True)
        if {-signal.SIGKILL, -signal.SIGABRT} & set(statuses):
            # Whose coordinator dies, JAX aborts before Python can say why.
            print("launch: a process is gone; the same command goes on", flush=True)
    return 124 if late else overall(statuses)


def wait(started: list[subprocess.Popen], options: argparse.Namespace) -> bool:
    """Until all have ended, or `grace` after the first has; whether the limit came before."""
    begun, first_end = time.monotonic(), None
    while any(process.poll() is None for process in started):
        now = time.monotonic()
        if options.limit and now - begun > options.limit:
            return True
        if first_end is None and any(process.poll() is not None for process in started):
            first_end = now
        if first_end is not None and now - first_end > options.grace:
            print("launch: killing processes that did not end with the others", flush=True)
            return False
        time.sleep(0.05)
    return False


def repeat(output: TextIO, number: int) -> None:
    for line in output:
        print(f"[{number}] {line}", end="", flush=True)


def overall(statuses: list[int]) -> int:
    """The status of the run: an error of its own before what others made of it."""
    own = [status for status in statuses if status != 0 and status not in ENDED_FROM_OUTSIDE]
    if own:
        return own[0] if own[0] > 0 else 128 - own[0]
    return STOPPED if any(statuses) else 0


if __name__ == "__main__":
    sys.exit(main())
