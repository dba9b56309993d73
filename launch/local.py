"""Runs one experiment on several processes of this machine, for development and tests.

python launch/local.py -n 2 experiments/foundations/mnist_mlp.py --epochs 5
python launch/local.py -n 2 --devices 4 experiments/foundations/mnist_mlp.py --mesh data=4,fsdp=2

All options after the experiment file go to the experiment. The exit status is 0 after success, 2
for a wrong command line, and 75 after a signal or the death of a process, with everything saved.
After 75 the same command resumes the run, with any number of processes; `--restarts 5` does so
automatically.
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
# Killed, aborted by JAX's heartbeat, or stopped by a signal: the run can be resumed.
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
    add = parser.add_argument
    add("-n", "--processes", type=positive, required=True, help="number of processes")
    add("--devices", type=positive, help="simulated CPU devices per process")
    add("--restarts", type=int, default=0, help="how often to resume after status 75")
    add("--grace", type=float, default=20, metavar="SECONDS",
        help="kill the other processes this long after the first has ended")  # fmt: skip
    add("--limit", type=float, metavar="SECONDS",
        help="kill all processes after this time and exit with 124")  # fmt: skip
    add("--port", type=int, help="port of the coordinator; a free one by default")
    add("--dry-run", action="store_true", help="print the commands and exit")
    add("experiment", type=pathlib.Path, help="the experiment file")
    add("arguments", nargs=argparse.REMAINDER, help="options of the experiment")
    options = parser.parse_args()
    if not options.experiment.is_file():
        parser.error(f"the experiment file {options.experiment} does not exist")
    return options


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return int(text)


def commands(options: argparse.Namespace) -> list[tuple[dict[str, str], list[str]]]:
    """The additional environment and the command of each process."""
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
    """Starts all processes and waits for them. No process outlives this call."""
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
    printers = [
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
    for printer in printers:
        printer.start()
    try:
        timed_out = wait(started, options)
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
        for process in started:
            process.wait()
        for printer in printers:
            printer.join(timeout=5)
    statuses = [process.returncode for process in started]
    if any(statuses):
        print("launch: the processes ended with", *statuses, flush=True)
        if {-signal.SIGKILL, -signal.SIGABRT} & set(statuses):
            # When the coordinator dies, JAX aborts the others before Python can print a message.
            print("launch: a process died; the same command resumes the run", flush=True)
    return 124 if timed_out else overall(statuses)


def wait(started: list[subprocess.Popen], options: argparse.Namespace) -> bool:
    """Waits until all have ended or the grace period is over; True if the limit was reached."""
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
    """The status of the run: a process's own error takes precedence over its consequences."""
    own = [status for status in statuses if status != 0 and status not in ENDED_FROM_OUTSIDE]
    if own:
        return own[0] if own[0] > 0 else 128 - own[0]
    return STOPPED if any(statuses) else 0


if __name__ == "__main__":
    sys.exit(main())
