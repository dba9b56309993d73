"""Starts runs that import nothing: each is forked from a process that has imported all.

python -m tests.kills.server reads requests from its input and writes an answer to each, as JSON,
one a line. It has started no backend of JAX, so that a forked process may.
"""

import dataclasses
import gc
import json
import os
import pathlib
import select
import signal
import sys
import tempfile
import time
from typing import Any

from dlcourse import figures
from dlcourse.training.commands.parse import parse_command
from dlcourse.training.run import drawing
from tests.kills import experiment
from tests.kills.phases import Phases

HANGS_AFTER = 240  # seconds; compiling with an empty cache takes up to 30


@dataclasses.dataclass(frozen=True)
class Request:
    """A command to be started, and killed.

    Attributes:
        options: of `tests/kills/experiment.py`.
        log: a file to which its output is added.
        signals: what is sent to it, one after the other.
        moments: when, in seconds since the start.
        cache: the user's cache folder, which holds compiled programs.
        devices: simulated ones.
    """

    options: list[str]
    log: str
    signals: list[int] = dataclasses.field(default_factory=list)
    moments: list[float] = dataclasses.field(default_factory=list)
    cache: str = ""
    devices: int = 1


def main() -> None:
    """Returns in the server at the end of its input, and leaves in each forked process."""
    _import_all()
    phases = Phases()
    print("ready", flush=True)
    while line := sys.stdin.readline():
        request = Request(**json.loads(line))
        phases.clear()
        began = time.monotonic()
        process = os.fork()
        if process == 0:
            _become(request, phases)
            # As at the end of an experiment file; it leaves as every program leaves.
            experiment.training.main(
                experiment.experiment, experiment.Config, experiment.variants, experiment.report
            )
        answer = _attend(process, request, phases, began)
        marks = [(phase, moment - began) for phase, moment in phases.read()]
        print(json.dumps(answer | {"phases": marks}), flush=True)


def _import_all() -> None:
    """What a run imports on its way, and the data that it reads."""
    import grain  # noqa: F401
    import jaxlib.mlir.dialects.mhlo  # noqa: F401
    import orbax.checkpoint  # noqa: F401
    import platformdirs.unix  # noqa: F401
    import rich._emoji_codes
    import rich.table  # noqa: F401
    import tensorboardX  # noqa: F401
    import typeguard  # noqa: F401
    import tyro  # noqa: F401
    from jax._src import xla_bridge

    from tests.kinds import digits

    for stream in (False, True):
        digits(stream)
    drawing.draw_curves = _draw_steps
    with tempfile.TemporaryDirectory() as folder:
        figures.save(_draw_steps([{"step": 1}]), pathlib.Path(folder) / "curves")
    parse_command(experiment.Config, [], "")
    assert not xla_bridge.backends_are_initialized()
    gc.collect()
    gc.freeze()  # what is imported stays, so no forked process need visit it again


def _draw_steps(rows: list[dict[str, Any]]) -> Any:
    """A small figure, in place of one that takes longer than all the steps."""
    figure, panels = figures.new(width=1, height=1, grid=False)
    panels[0, 0].plot([row["step"] for row in rows])
    panels[0, 0].set_axis_off()
    return figure


def _become(request: Request, phases: Phases) -> None:
    """Turns a forked process into the command."""
    import jax

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["XDG_CACHE_HOME"] = request.cache
    jax.config.update("jax_num_cpu_devices", request.devices)
    sys.argv = [str(pathlib.Path(__file__).with_name("experiment.py")), *request.options]
    phases.watch()


def _attend(process: int, request: Request, phases: Phases, began: float) -> dict[str, Any]:
    """Kills a process at its moments and waits for its end."""
    handle = os.pidfd_open(process)

    def ended(seconds: float) -> bool:
        return bool(select.select([handle], [], [], max(0.0, seconds))[0])

    during = []
    for number, moment in zip(request.signals, request.moments, strict=True):
        if ended(began + moment - time.monotonic()):
            break
        during.append((phases.read() or [("parsing", 0.0)])[-1][0])
        signal.pidfd_send_signal(handle, number)
    hung = not ended(HANGS_AFTER)
    if hung:
        os.kill(process, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.close(handle)
    return {
        "status": status, "during": during, "hung": hung, "seconds": time.monotonic() - began,
    }  # fmt: skip


if __name__ == "__main__":
    main()
