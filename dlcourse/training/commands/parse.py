"""From a command line to a config, and from an experiment file to its functions."""

import dataclasses
import importlib.util
import inspect
import os
import pathlib
import sys
import typing
from collections.abc import Sequence
from typing import Annotated, Any, Generic, NoReturn, TypeVar

from dlcourse.errors import UsageError
from dlcourse.training.config import Config
from dlcourse.training.limits import described

C = TypeVar("C", bound=Config)

DRY_RUN = "Print shardings, the cost of a step and its collectives, and train nothing."
REPLAY = "Do this step of the run in `--workdir` again, print the results, and train nothing."


@dataclasses.dataclass(frozen=True)
class Command(Generic[C]):
    """What the command line of an experiment asks for.

    Attributes:
        config: of the run.
        given: the fields of the config that the command line names.
        dry_run: describe the run instead of training.
        replay: do this step again instead of training.
    """

    config: C
    given: frozenset[str]
    dry_run: bool
    replay: int | None


def parse_command(config: type[C], args: Sequence[str], prog: str) -> Command[C]:
    """The command line of an experiment; exits with status 2 if it is wrong."""
    import tyro

    kind: Any = dataclasses.make_dataclass(
        config.__name__,
        [
            *_with_limits(config),
            ("dry_run", Annotated[bool, tyro.conf.arg(help=DRY_RUN)], False),
            ("replay", Annotated[int | None, tyro.conf.arg(help=REPLAY)], None),
        ],
        bases=(config,),
        frozen=True,
        kw_only=True,
        namespace={"__doc__": config.__doc__},
    )
    asked: Any = parse(kind, args, prog, first=config)
    names = [field.name for field in dataclasses.fields(config)]
    plain = config(**{name: getattr(asked, name) for name in names})
    if asked.replay is not None and plain.workdir is None:
        _exit("replay needs the run's workdir")
    given = {arg.partition("=")[0][2:].replace("-", "_") for arg in args if arg.startswith("--")}
    given |= {name.removeprefix("no_") for name in given}
    return Command(plain, frozenset(given & set(names)), asked.dry_run, asked.replay)


def parse(
    config: type[C], args: Sequence[str], prog: str, *, first: type[Config] | None = None
) -> C:
    """The config that command-line arguments describe; exits with status 2 if they do not.

    Args:
        config: the experiment's dataclass.
        args: the arguments.
        prog: what the command is called.
        first: the class whose own options lead the help; `config` if not given.
    """
    import tyro

    _own_options_first(config, first or config)
    try:
        return tyro.cli(config, args=list(args), prog=prog)
    except ValueError as error:
        _exit(str(error))
    except BrokenPipeError:
        # `--help | head`: the reader has seen enough, and Python's last flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _exit(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _with_limits(config: type[Config]) -> list[tuple[str, Any, Any]]:
    """The fields that have limits, for `--help` to show them behind the default."""
    import tyro

    hints = typing.get_type_hints(config, include_extras=True)
    shown = []
    for field in dataclasses.fields(config):
        if field.name in config.limits:
            hint = f"(default: %s; {described(config.limits[field.name])})"
            arg = tyro.conf.arg(help_behavior_hint=hint.__mod__)
            own = dataclasses.field(default=field.default)
            shown.append((field.name, Annotated[hints[field.name], arg], own))
    return shown


def _own_options_first(config: type[Config], first: type[Config]) -> None:
    """The options that an experiment adds or changes lead its `--help`."""
    fields = config.__dataclass_fields__
    own = [name for name in inspect.get_annotations(first) if name in fields]
    order = dict.fromkeys([*own, *fields])
    config.__dataclass_fields__ = {name: fields[name] for name in order}


def load_experiment(path: pathlib.Path) -> Any:
    """The module of an experiment file: it has `Config` and `experiment`.

    Raises:
        UsageError: there is no such file, or it defines no experiment.
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
    return module
