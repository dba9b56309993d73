"""Several processes of one run: how they find each other, agree, and leave when one is gone.

All run the same program on the same steps. They stay in step because every decision is either
computed from replicated values or agreed on here.
"""

import ctypes
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from dlcourse.errors import STOPPED, UsageError, UserError, reason
from dlcourse.training.config import Execution

COORDINATOR = "DLCOURSE_COORDINATOR"  # HOST:PORT of process 0, or `auto` for JAX's detection
NUM_PROCESSES = "DLCOURSE_NUM_PROCESSES"
PROCESS_ID = "DLCOURSE_PROCESS_ID"
# Where mpirun (Open MPI) and srun (Slurm) leave it; mpirun itself may run in a step of srun.
COUNTS = (NUM_PROCESSES, "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
NUMBERS = (PROCESS_ID, "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")

# A dead process is noticed at once by the processes that wait for it; one that hangs, after this.
HEARTBEAT_SECONDS = 15
WAIT_SECONDS = 240  # for all processes to come; JAX aborts the process after 300
MESSAGE_BYTES = 8192
# In the messages of collectives and of JAX's coordination service; their type is not specific.
SIGNS_OF_DEATH = ("Gloo", "NCCL", "UNAVAILABLE:", "DEADLINE_EXCEEDED:", "ABORTED:", "CANCELLED:")


class SaidElsewhere(UserError):
    """Process 0 has printed its error; the other processes exit with the same status."""

    def __init__(self, exit_status: int) -> None:
        super().__init__("process 0 has printed the error")
        self.exit_status = exit_status


def connect(config: Execution, stopped: Callable[[], bool] = lambda: False) -> None:
    """Joins the other processes of this run, if there are any; before anything runs on a device.

    Processes find each other by the options `--coordinator`, `--num-processes`, `--process-id`;
    else by the environment's DLCOURSE_COORDINATOR, DLCOURSE_NUM_PROCESSES, DLCOURSE_PROCESS_ID;
    else, under `srun`, `mpirun` or with the coordinator `auto`, as JAX detects them.

    While it waits for them, it listens to signals; after `WAIT_SECONDS` it gives up.

    Args:
        config: addresses and numbers.
        stopped: whether a signal has come.

    Raises:
        UsageError: a part is missing or wrong.
    """
    coordinator = config.coordinator or os.environ.get(COORDINATOR)
    count, number = config.num_processes, config.process_id
    count = _first(os.environ, COUNTS) if count is None else count
    number = _first(os.environ, NUMBERS) if number is None else number
    if coordinator is None:
        named = config.num_processes or config.process_id or NUM_PROCESSES in os.environ
        if named and count != 1:
            raise UsageError(
                "Of several processes each needs the address of process 0: "
                f"--coordinator HOST:PORT or {COORDINATOR}."
            )
        if count in (None, 1):
            return
    explicit = coordinator not in (None, "auto")
    if explicit and (count is None or number is None or not 0 <= number < count):
        raise UsageError(
            f"The coordinator is {coordinator}, but this is process {number} of {count}: give "
            f"--num-processes and --process-id, or {NUM_PROCESSES} and {PROCESS_ID}."
        )
    # Its signal handler would replace ours, and may stop the process at any step.
    jax.config.update("jax_enable_preemption_service", False)
    options: dict[str, Any] = {"heartbeat_timeout_seconds": HEARTBEAT_SECONDS}
    if explicit:
        local = str(coordinator).rpartition(":")[0] in ("127.0.0.1", "localhost")
        options |= {
            "coordinator_address": coordinator,
            "num_processes": count,
            "process_id": number,
            # Otherwise the service would listen on every address of the machine.
            "coordinator_bind_address": coordinator if local else None,
        }
    _initialize(options, stopped)
    if not alone():
        _leave_when_jax_aborts()


def _initialize(options: Mapping[str, Any], stopped: Callable[[], bool]) -> None:
    """`jax.distributed.initialize`, in a thread, as it neither hears signals nor says a word."""
    failed: list[Exception] = []

    def initialize() -> None:
        try:
            jax.distributed.initialize(**options)
        except (ValueError, RuntimeError) as error:
            failed.append(error)

    thread = threading.Thread(target=initialize, daemon=True)
    thread.start()
    where = options.get("coordinator_address", "the address that JAX detected")
    began, told = time.monotonic(), False
    while thread.is_alive():
        thread.join(0.1)
        waited = time.monotonic() - began
        if stopped():
            print("Stopped before all processes were there; start it again.", file=sys.stderr)
            _leave_now(STOPPED)
        if waited > 5 and not told:
            print(f"Waiting for the other processes at {where}.", file=sys.stderr, flush=True)
            told = True
        if waited > WAIT_SECONDS:
            print(
                f"error: Not all processes came to {where} within {WAIT_SECONDS} s. Start all of "
                "them with the same --coordinator and --num-processes.",
                file=sys.stderr,
            )
            _leave_now(UsageError.exit_status)
    if failed:
        raise UsageError(
            f"The processes could not find each other ({reason(failed[0])}). "
            f"Set --coordinator HOST:PORT, --num-processes and --process-id."
        ) from failed[0]


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    for name in names:
        if name in environment:
            if not environment[name].isdecimal():
                raise UsageError(f"{name} is '{environment[name]}'; it must be a number.")
            return int(environment[name])
    return None


def _leave_when_jax_aborts() -> None:
    """Turns the abort by which JAX ends a process without peers into exit status 75.

    The heartbeat runs in a C++ thread, and an abort runs no Python code. Everything that a resumed
    run needs is on disk by then.
    """
    leave = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: os._exit(STOPPED))
    libc = ctypes.CDLL(None)
    libc.signal.restype = ctypes.c_void_p
    libc.signal(6, leave)  # SIGABRT
    _leave_when_jax_aborts.handler = leave  # type: ignore[attr-defined]  # C holds no reference


def alone() -> bool:
    return jax.process_count() == 1


def are_joined_by(mesh: Mesh) -> bool:
    """Whether the devices of a mesh belong to several processes, which then act together."""
    return len({device.process_index for device in mesh.devices.flat}) > 1


def is_first() -> bool:
    """Whether this is process 0, the one that writes, draws and prints."""
    return jax.process_index() == 0


def on_first(function: Callable[[], Any]) -> Any:
    """The result of `function` on process 0, sent to all processes. It must be JSON.

    Raises:
        UserError: raised by `function`; the other processes exit silently with its status.
    """
    if alone():
        return function()
    answer: dict[str, Any] = {}
    failed: UserError | None = None
    if is_first():
        try:
            answer = {"value": function()}
        except UserError as error:
            failed, answer = error, {"status": error.exit_status}
    answer = _tell(answer)
    if failed is not None:
        raise failed
    if "status" in answer:
        raise SaidElsewhere(answer["status"])
    return answer["value"]


def _tell(message: dict) -> dict:
    from jax.experimental import multihost_utils

    text = json.dumps(message).encode().ljust(MESSAGE_BYTES)
    told = multihost_utils.broadcast_one_to_all(np.frombuffer(text, np.uint8))
    return json.loads(np.asarray(told).tobytes())


def others_are_gone(error: Exception) -> bool:
    """Whether an error means that another process died, and not that the program is wrong."""
    return not alone() and any(sign in str(error) for sign in SIGNS_OF_DEATH)


def agree(steps: int, stop: bool) -> tuple[int, bool]:
    """The number of steps that process 0 proposes, and whether any process wants to stop.

    All must do the same number of steps, but each has its own clock and its own signals. The call
    waits for the devices, so it is made once per chunk.
    """
    if alone():
        return steps, stop
    from jax.experimental import multihost_utils

    said = multihost_utils.process_allgather(np.array([steps, stop], np.int32))
    return int(said[0, 0]), bool(said[:, 1].any())


def on_host(tree: Any, mesh: Mesh) -> Any:
    """A tree of arrays spread over processes, as whole NumPy arrays on each of them.

    With a single process the arrays are returned as they are.
    """
    if alone():
        return tree
    replicated = NamedSharding(mesh, P())
    return jax.device_get(jax.jit(lambda leaves: leaves, out_shardings=replicated)(tree))


def leave(status: int) -> NoReturn:
    """Ends this process; with several processes, without waiting for the others."""
    if alone():
        sys.exit(status)
    _leave_now(status)


def _leave_now(status: int) -> NoReturn:
    """Ends this process although other threads of it wait."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def leave_together(status: int) -> NoReturn:
    """Ends this process once all others are ready to end."""
    if not alone():
        jax.distributed.shutdown()
    leave(status)
