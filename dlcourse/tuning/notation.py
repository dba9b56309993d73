"""A search space as text on a command line, and a point of it as command-line arguments.

name=low:high       uniform; whole numbers if the option is one
name=log:low:high   uniform on a logarithmic scale
name=a/b/c          one of these values; commas join the parts of one value
"""

import dataclasses
import difflib
import itertools
import shlex
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dlcourse.errors import UsageError
from dlcourse.training.config import EXECUTION, Config
from dlcourse.tuning.space import Choice, Dimension, Integer, LogUniform, Space, Uniform, Values

Parse = Callable[[list[str]], Config]


def parse_space(texts: Sequence[str], config: type[Config], parse: Parse) -> Space:
    """Parses texts such as `learning_rate=log:1e-4:1e-1`.

    Args:
        texts: a text for each option.
        config: the experiment's dataclass, whose fields give the types.
        parse: maps command-line arguments to a config; it parses the values of a choice.

    Raises:
        UsageError: a text is invalid, or the experiment does not have the option.
    """
    space: dict[str, Dimension] = {}
    for text in texts:
        name, equals, described = text.partition("=")
        name = name.strip().lstrip("-").replace("-", "_")
        if not equals or not described:
            raise UsageError(
                f"--search '{text}' is incomplete: write name=low:high, name=log:low:high or "
                "name=a/b/c."
            )
        _require_option(name, config)
        if name in space:
            raise UsageError(f"--search names {name} twice.")
        try:
            space[name] = _dimension(name, described, config, parse)
        except UsageError as error:
            raise UsageError(f"--search {text}: {error}") from error
    return space


def _dimension(name: str, described: str, config: type[Config], parse: Parse) -> Dimension:
    if "/" in described:
        parts = [part.strip() for part in described.split("/")]
        return Choice(*(_typed(name, part, config, parse) for part in parts))
    *log, low, high = ["", *described.split(":")][-3:]
    kinds = _kinds(config, name)
    if described.count(":") not in (1, 2) or log not in ([""], ["log"]):
        raise UsageError("write low:high, log:low:high or a/b/c.")
    if not kinds & {int, float}:
        raise UsageError(f"{name} is not a number; list its values as {name}=a/b/c.")
    try:
        if float not in kinds:
            return Integer(int(low), int(high), log=log == ["log"])
        return (LogUniform if log == ["log"] else Uniform)(float(low), float(high))
    except ValueError as error:
        expected = "two numbers" if float in kinds else "two whole numbers"
        raise UsageError(f"a range of {name} needs {expected}.") from error


def _typed(name: str, text: str, config: type[Config], parse: Parse) -> Any:
    """A value of a choice, parsed by the experiment's own command line."""
    if bool in _kinds(config, name):
        if text.lower() not in ("true", "false"):
            raise UsageError(f"{name} must be true or false, got {text}.")
        return text.lower() == "true"
    parts = text.split(",") if tuple in _kinds(config, name) else [text]
    return getattr(parse([_flag(name), *parts]), name)


def require_valid(space: Space, config: Config) -> None:
    """Checks that the experiment's config accepts the ends of the space and its whole numbers.

    Raises:
        UsageError: the space is empty, an option is unknown, or a value is invalid.
    """
    if not space:
        raise UsageError("The search space is empty: name at least one option.")
    for name, dimension in space.items():
        _require_option(name, type(config))
        for value in _examined(dimension):
            change: Values = {name: value}
            try:
                dataclasses.replace(config, **change)
            except ValueError as error:
                raise UsageError(f"{name} cannot be {value}: {error}.") from error


def _examined(dimension: Dimension) -> Iterable[Any]:
    """All values of a choice, both ends of a range, and then whole numbers, of which some may be
    refused: a batch that is no multiple of `accumulate`."""
    if isinstance(dimension, Choice):
        return dimension.values
    ends = [dimension.at(0.0), dimension.at(1.0)]
    inside = range(dimension.low, dimension.high) if isinstance(dimension, Integer) else range(0)
    return itertools.chain(ends, inside[:10_000])


def _require_option(name: str, config: type[Config]) -> None:
    names = [field.name for field in dataclasses.fields(config)]
    if name not in names:
        raise UsageError(f"The experiment has no option {nearest(name, names)}")
    if name in EXECUTION:
        raise UsageError(f"{name} affects only execution, so it cannot be searched.")
    if name == "seeds":
        raise UsageError("seeds only repeats a run, so it cannot be searched.")
    if name in config.selects:
        raise UsageError(
            f"{name} only selects rows of a comparison, so it cannot be searched. Name the options "
            "of one row."
        )


def nearest(name: str, names: Iterable[str]) -> str:
    """`'learning_rat'; the nearest is learning_rate.`, or all names if none is similar."""
    names = list(names)
    near = difflib.get_close_matches(name, names, 1)
    return f"'{name}'; " + (f"the nearest is {near[0]}." if near else f"it has {', '.join(names)}.")


def arguments(values: Values) -> str:
    """The command-line arguments that give an experiment these values."""
    words: list[str] = []
    for name, value in values.items():
        if isinstance(value, bool):
            words.append(_flag(name) if value else _flag("no_" + name))
        else:
            parts = value if isinstance(value, tuple) else (value,)
            words += [_flag(name), *map(str, parts)]
    return shlex.join(words)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _kinds(config: type[Config], name: str) -> set[Any]:
    """The types of an option: both members of `int | None`, tuple for `tuple[int, ...]`."""
    hint = typing.get_type_hints(config)[name]
    union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    parts = typing.get_args(hint) if union else (hint,)
    return {typing.get_origin(part) or part for part in parts}
