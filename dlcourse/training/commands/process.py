"""From an error to a message and an exit status, and the settings of the whole process."""

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import jax

from dlcourse.errors import STOPPED, Stopped, UsageError, UserError, reason
from dlcourse.training.commands.compiled import keep_programs
from dlcourse.training.config import Config
from dlcourse.training.engine import processes
from dlcourse.training.run.ends import Diverged, Interrupted
from dlcourse.training.run.interruption import Interruption, listen


def conduct(body: Callable[[Interruption], None], config: Config) -> NoReturn:
    """Runs `body` and exits with the status of how it went.

    The exit status is 0 when it is done, 2 when the command line was wrong, 75 when a signal
    stopped it (the state is saved; start it again), 1 for any other error.
    """
    try:
        with listen() as interruption:
            prepare_process(config, interruption)
            body(interruption)
    except Interrupted as stop:
        if processes.is_first():
            print(stop, file=sys.stderr)
        processes.leave_together(STOPPED)
    except UserError as error:
        elsewhere = (
            isinstance(error, (Diverged, processes.SaidElsewhere)) and not processes.is_first()
        )
        if not elsewhere:
            word = "" if isinstance(error, Stopped) else "error: "
            print(f"{word}{error}", file=sys.stderr)
        processes.leave(error.exit_status)
    except KeyboardInterrupt:
        print("Stopped at once; the last checkpoint is kept.", file=sys.stderr)
        processes.leave(130)
    except Exception as error:
        if "out of memory" in str(error).lower() or isinstance(error, MemoryError):
            print(f"error: {_out_of_memory(error)}", file=sys.stderr)
            processes.leave(1)
        if processes.alone():
            raise  # a fault of the program, with its traceback
        processes.leave(_status_of_failure(error))
    processes.leave_together(0)


def _out_of_memory(error: Exception) -> str:
    return (
        f"Memory is exhausted ({reason(error)}). Lower --batch-size, --seeds or the size of the "
        "model, or cut the batch with --accumulate; --dry-run tells what a step takes."
    )


def _status_of_failure(error: Exception) -> int:
    """Prints the error of one of several processes, none of which may wait for the others now."""
    if processes.others_are_gone(error):
        print(
            f"Another process of this run is gone ({reason(error)}). Saved checkpoints are kept; "
            "start all of them again with the same --workdir.",
            file=sys.stderr,
        )
        return STOPPED
    traceback.print_exception(error)
    return 1


def prepare_process(config: Config, interruption: Interruption | None = None) -> None:
    """Settings of the whole process; only a command line may touch them.

    Raises:
        UsageError: the other processes are not found.
        SystemExit: the devices that the environment asks for are not here.
    """
    # Libraries that read data warn of things that users cannot change here. For a save that failed
    # Orbax logs every write with its traceback, besides the error that it raises.
    for library in ("absl", "asyncio"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    sys.unraisablehook = _without_late_failures(sys.unraisablehook)
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if config.compilation_cache:
        keep_programs()
    processes.connect(config, lambda: bool(interruption))
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        why = reason(error) if str(error) else "no such device was found"
        wanted = jax.config.values["jax_platforms"]
        print(
            f"error: The devices of JAX_PLATFORMS={wanted} cannot be used: {why}. "
            "Unset it, or install what they need.",
            file=sys.stderr,
        )
        sys.exit(UsageError.exit_status)  # `conduct` would ask JAX which process this is


def _without_late_failures(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`hook` without the exceptions that follow the first failure of a save.

    Orbax raises that failure and closes the event loop, to which TensorStore's other writes still
    report. Each then prints a traceback, which adds nothing to the error raised.
    """

    def filtered(event: Any) -> None:
        if str(event.exc_value) != "Event loop is closed":
            hook(event)

    return filtered
