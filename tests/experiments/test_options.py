"""Every option of every experiment: what its limits admit is accepted, all else is refused."""

import dataclasses
import math
import re
import types
import typing

import numpy as np
import pytest

from dlcourse import data, training
from dlcourse.errors import UsageError
from dlcourse.training.commands.parse import load_experiment, parse_command
from dlcourse.training.limits import FINITE
from tests import ROOT

EXPERIMENTS = sorted((ROOT / "experiments").glob("*/*.py"))
COMMON = {field.name for field in dataclasses.fields(training.Config)}


@pytest.fixture(params=EXPERIMENTS, ids=lambda path: path.stem, scope="module")
def kind(request):
    """The Config of an experiment."""
    return load_experiment(request.param).Config


def parts(hint):
    """The types in a type: int, None and tuple of `int | tuple[int, ...] | None`."""
    if isinstance(hint, types.UnionType):
        return set().union(*map(parts, typing.get_args(hint)))
    if typing.get_origin(hint) is tuple:
        return {tuple, *map(parts_of_tuple, typing.get_args(hint))} - {...}
    return {hint}


def parts_of_tuple(hint):
    assert not isinstance(hint, types.UnionType)
    return hint


def numeric(kind):
    """Name, number type and default of each field with numbers."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        found = parts(hints[field.name])
        if found & {int, float}:
            default = field.default
            if tuple in found and default is None:
                default = (8, 8)
            yield field.name, float if float in found else int, default


def beyond(number, limits):
    """Values of this type that the limits exclude."""
    low, high = limits
    if number is int:
        return [low - 1, -(10**20), high + 1, 10**20]
    bad = [math.nan, math.inf, -math.inf, 2 * FINITE, -2 * FINITE, math.nextafter(low, -math.inf)]
    return bad if high == math.inf else [*bad, math.nextafter(high, math.inf)]


def changed(kind, name, value):
    """The Config with this value, and with whatever else the value needs."""
    needs = {
        "accumulate": {"batch_size": value},
        "seed": {"seeds": 1},
        "betas": {"optimizer": "adam"},
    }.get(name, {})
    return kind(**{name: value} | needs)


def refusal(kind, args, capsys):
    """The words with which a command line is refused, with status 2."""
    with pytest.raises(SystemExit) as left:
        parse_command(kind, args, "experiment.py")
    assert left.value.code == 2
    return " ".join(capsys.readouterr().err.replace("│", " ").split())


def option(name, *values):
    return ["--" + name.replace("_", "-"), *map(str, values)]


def test_every_number_has_limits(kind):
    names = {name for name, *_ in numeric(kind)}
    assert names <= kind.limits.keys()
    unused = kind.limits.keys() - names - training.Config.limits.keys()
    assert not unused
    for name, number, _ in numeric(kind):
        low, high = kind.limits[name]
        assert low < high
        assert number is float or isinstance(high, int), f"{name} has no greatest value"


def test_the_limits_themselves_are_accepted(kind):
    for name, _, default in numeric(kind):
        for end in kind.limits[name]:
            value = min(end, FINITE)
            if isinstance(default, tuple):
                value = (value,) * (1 if name in kind.selects | kind.distinct else len(default))
            assert getattr(changed(kind, name, value), name) == value


def test_every_number_beyond_the_limits_is_refused(kind):
    for name, number, default in numeric(kind):
        for value in beyond(number, kind.limits[name]):
            places = range(len(default)) if isinstance(default, tuple) else [None]
            for place in places:
                wrong = value
                if place is not None:
                    wrong = (*default[:place], value, *default[place + 1 :])
                with pytest.raises(ValueError, match=f"^{name} (is .*; it )?must be "):
                    kind(**{name: wrong})


def test_a_number_beyond_the_limits_ends_the_command_with_status_2(kind, capsys):
    *_, (name, number, default) = sorted(numeric(kind), key=lambda each: each[0] not in COMMON)
    value = beyond(number, kind.limits[name])[-1]
    values = [value] * len(default) if isinstance(default, tuple) else [value]
    said = refusal(kind, option(name, *values), capsys)
    assert re.search(f"{name} (is .*; it )?must be", said)


def test_a_tuple_needs_a_value_and_what_names_rows_names_each_once(kind):
    for field in dataclasses.fields(kind):
        if isinstance(field.default, tuple):
            with pytest.raises(ValueError, match=f"{field.name} needs at least one value"):
                kind(**{field.name: ()})
        if field.name in kind.selects | kind.distinct:
            with pytest.raises(ValueError, match=f"{field.name} has a value twice"):
                kind(**{field.name: (*field.default, field.default[0])})
    assert kind.selects | kind.distinct <= {field.name for field in dataclasses.fields(kind)}


def test_an_unknown_name_is_refused_with_those_that_exist(kind, capsys):
    hints = typing.get_type_hints(kind)
    for name, hint in hints.items():
        inner = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint
        if typing.get_origin(inner) is typing.Literal and (name not in COMMON):
            said = refusal(kind, option(name, "nonsense"), capsys)
            for word in (option(name)[0], "nonsense", *typing.get_args(inner)):
                assert word in said


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--seed", 2**31 - 2, "--seeds", 3], "seed + seeds - 1 must be at most 2147483647"),
        (["--steps", 0], "steps must be at least 1"),
        (["--epochs", 0], "epochs must be above 0"),
        (["--epochs", "1e300"], "epochs is 1e+300; it must be a finite number"),
        (["--ema", 1], "ema must be below 1"),
        (["--patience", 0], "patience must be at least 1"),
        (["--num-processes", 0], "num_processes must be at least 1"),
        (["--freeze", "("], "freeze must be a regular expression; it is '('"),
        (["--freeze", ""], "freeze must be a regular expression; it is ''"),
        *(
            ([f"--{name}", duration], f"{name.replace('-', '_')} is '{duration}'")
            for name in ("evaluate-every", "log-every", "checkpoint-every")
            for duration in (
                "0 steps",
                "0%",
                "0.0 epochs",
                "-5%",
                "nan%",
                "1e400%",
                "9" * 400 + "%",
            )
        ),
    ],
    ids=lambda value: " ".join(map(str, value))[:40] if isinstance(value, list) else "",
)
def test_a_hostile_command_line_is_refused(args, words, capsys):
    said = refusal(training.Config, [args[0] + f"={args[1]}", *map(str, args[2:])], capsys)
    # The message is broken into lines, also within long words.
    assert words.replace(" ", "")[:60] in said.replace(" ", "")


def test_epochs_that_are_too_many_steps_are_refused():
    digits = data.images("digits")
    assert training.Config(epochs=1e6).total_steps(digits) == 18_750_000
    many = dataclasses.replace(digits, splits={"train": np.zeros(10**6, np.int32)})
    config = training.Config(epochs=1e6, batch_size=1)
    with pytest.raises(UsageError, match=r"--epochs 1e.06 are .* steps; at most 2147483647"):
        config.total_steps(many)


def test_epochs_that_are_set_replace_the_default_number_of_steps():
    @dataclasses.dataclass(frozen=True)
    class Short(training.Config):
        steps: int | None = 7

    digits = data.images("digits")
    epoch = len(digits.splits["train"])
    assert Short().total_steps(digits) == 7
    assert Short(epochs=2, batch_size=1).total_steps(digits) == 2 * epoch
    assert Short(epochs=2, steps=9).total_steps(digits) == 9
    again = dataclasses.replace(Short(epochs=2, batch_size=1), seed=1)
    assert again.total_steps(digits) == 2 * epoch


def test_two_networks_of_one_name_are_refused():
    module = load_experiment(ROOT / "experiments" / "foundations" / "decision_boundaries.py")
    with pytest.raises(UsageError, match="--small and --large are the same network"):
        module.experiment(module.Config(small=(8, 8), large=(8, 8)))
