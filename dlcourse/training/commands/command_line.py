"""From the command line to a run, and from what went wrong to a message and an exit status."""

import importlib.util
import inspect
import logging
import os
import pathlib
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from dlcourse.errors import UsageError, UserError
from dlcourse.training.config import Config
from dlcourse.training.engine import processes
from dlcourse.training.run.interruption import STOPPED, Interruption, listen

C = TypeVar("C", bound=Config)


def main(experiment: Callable[[C], Any], config: type[C]) -> NoReturn:
    """Runs an experiment file: parse, build, train, report, exit.

    Args:
        experiment: from a config to a `training.Experiment`.
        config: the experiment's frozen dataclass; its fields become the options.

    The exit status is 0 when the run is done, 2 when the command line was wrong, 75 when a signal
    stopped it (everything is saved, start it again), 1 for any other error.
    """

    def body(parsed: C, interruption: Interruption) -> None:
        from dlcourse.training.run.loop import run

        run(experiment(parsed), parsed, name=_experiment_name(), interruption=interruption)

    launch(body, config)


def launch(body: Callable[[C, Interruption], None], config: type[C]) -> NoReturn:
    """Like `main`, for a command that does more than one run: `body` gets the parsed config."""
    conduct(body, parse(config, sys.argv[1:]))


def conduct(body: Callable[[C, Interruption], None], config: C) -> NoReturn:
    """Runs `body` and exits with the status of how it went; see `main`."""
    from dlcourse.training.run.loop import Described, Diverged, Interrupted

    try:
        with listen() as interruption:
            prepare_process(config)
            body(config, interruption)
    except Described:
        processes.leave_together(0)
    except Interrupted as stop:
        if processes.is_first():
            print(stop, file=sys.stderr)
        processes.leave_together(STOPPED)
    except UserError as error:
        told = isinstance(error, (Diverged, processes.SaidElsewhere)) and not processes.is_first()
        if not told:
            print(f"error: {error}", file=sys.stderr)
        processes.leave(error.exit_status)
    except KeyboardInterrupt:
        print("Stopped at once; the last checkpoint stands.", file=sys.stderr)
        processes.leave(130)
    except Exception as error:
        if processes.alone():
            raise  # a mistake in the program, and its traceback
        processes.leave(_status_of_failure(error))
    processes.leave_together(0)


def _status_of_failure(error: Exception) -> int:
    """Of several processes none may wait for the others now: say what happened, and the status."""
    if processes.others_are_gone(error):
        first_line = str(error).splitlines()[0]
        print(
            f"Another process of this run is gone ({first_line}). What was saved stands; "
            "start all of them again with the same --workdir.",
            file=sys.stderr,
        )
        return STOPPED
    traceback.print_exception(error)
    return 1


def parse(config: type[C], args: list[str]) -> C:
    """The config that command-line arguments describe; exits with status 2 if they do not."""
    import tyro

    _own_options_first(config)
    try:
        return tyro.cli(config, args=args, prog=pathlib.Path(sys.argv[0]).name)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        # `--help | head`: who reads has seen enough, and Python's last flush must not say so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _own_options_first(config: type[Config]) -> None:
    """What an experiment adds or changes leads its `--help`; a base class would come before it."""
    fields = config.__dataclass_fields__
    own = [name for name in inspect.get_annotations(config) if name in fields]
    order = dict.fromkeys([*own, *fields])
    config.__dataclass_fields__ = {name: fields[name] for name in order}


def _experiment_name() -> str:
    return pathlib.Path(sys.argv[0]).stem


def prepare_process(config: Config) -> None:
    """Settings of the whole process; only a command line may touch them."""
    import jax

    # Libraries that read data warn of things that their users cannot change here, and of a save
    # that failed Orbax logs every write, with its traceback, beside the error that it raises.
    for library in ("absl", "asyncio"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    sys.unraisablehook = _without_late_answers(sys.unraisablehook)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if config.compilation_cache and jax.config.values["jax_compilation_cache_dir"] is None:
        import platformdirs

        cache = pathlib.Path(platformdirs.user_cache_dir("dlcourse")) / "xla"
        jax.config.update("jax_compilation_cache_dir", str(cache))
        # The first step waits for many small programs too.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    processes.connect(config)


def _without_late_answers(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`hook`, which is not told of answers that come after the first failure of a save.

    Orbax raises that failure and closes the event loop that TensorStore's other writes still want
    to answer; each then prints a traceback of its own, of nothing that was not said already.
    """

    def told(event: Any) -> None:
        if str(event.exc_value) != "Event loop is closed":
            hook(event)

    return told


def load_experiment(path: pathlib.Path) -> Any:
    """The module of an experiment file: it has `Config` and `experiment`.

    Raises:
        UsageError: there is no such file, or it defines no experiment, or several.
    """
    if not path.is_file():
        raise UsageError(f"There is no experiment file {path}.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # noqa: PT018  (a path always has them)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    if not hasattr(module, "Config") or not hasattr(module, "experiment"):
        raise UsageError(f"{path} defines no Config and experiment(config).")
    if len(inspect.signature(module.experiment).parameters) != 1:
        raise UsageError(f"{path} makes several runs from a config, and this needs one.")
    return module
