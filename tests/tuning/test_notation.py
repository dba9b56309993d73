"""A search space as text on a command line."""

import shlex

import pytest

from dlcourse import tuning
from dlcourse.errors import UsageError
from dlcourse.training.commands.parse import parse
from dlcourse.tuning import notation
from tests.tuning.digits import Config


def parsed(args):
    return parse(Config, args, "digits.py")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("learning_rate=log:1e-4:1e-1", tuning.LogUniform(1e-4, 1e-1)),
        ("learning-rate=1e-4:1", tuning.Uniform(1e-4, 1.0)),
        ("ema=0.9:0.99", tuning.Uniform(0.9, 0.99)),
        ("width=2:5", tuning.Integer(2, 5)),
        ("batch_size=log:16:256", tuning.Integer(16, 256, log=True)),
        ("hidden=64/64,32", tuning.Choice((64,), (64, 32))),
        ("precision=float32/bfloat16", tuning.Choice("float32", "bfloat16")),
        ("augmented=true/false", tuning.Choice(True, False)),
        ("width=3/None", tuning.Choice(3, None)),
        ("evaluate_every=1 epoch/5%", tuning.Choice("1 epoch", "5%")),
    ],
)
def test_a_space_is_typed_by_the_config(text, expected):
    (dimension,) = notation.parse_space([text], Config, parsed).values()
    assert dimension == expected
    for u in (0.0, 0.3, 1.0):
        name = text.partition("=")[0].replace("-", "_")
        value = dimension.at(u)
        args = shlex.split(notation.arguments({name: value}))
        assert getattr(parsed(args), name) == value


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["learning_rat=0:1"], r"no option 'learning_rat'; the nearest is learning_rate\."),
        (["learning_rate=1e-1:1e-4"], r"from 0.1 to 0.0001 is empty: low must be below high"),
        (["learning_rate=0.1:0.1"], "is empty"),
        (["learning_rate=nan:1"], "is empty"),
        (["learning_rate=0:inf"], "is empty"),
        (["learning_rate=log:0:1"], "must start above 0, got 0"),
        (["batch_size=log:0:4"], "must start above 0, got 0"),
        (["learning_rate=low:high"], "needs two numbers"),
        (["batch_size=1.5:8"], "needs two whole numbers"),
        (["learning_rate=lin:1:2"], "write low:high, log:low:high or a/b/c"),
        (["learning_rate=3"], "write low:high, log:low:high or a/b/c"),
        (["learning_rate"], "'learning_rate' is incomplete"),
        (["learning_rate="], "is incomplete"),
        (["hidden=1:5"], "hidden is not a number; list its values"),
        (["dropout=0.1/0.1"], "two or more different values"),
        (["augmented=true/maybe"], "must be true or false, got maybe"),
        (["dropout=0:1", "dropout=0:0.5"], "names dropout twice"),
        (["workdir=a/b"], "workdir affects only execution"),
        (["seeds=1:5"], "seeds only repeats a run"),
        (["only=a/b"], "only selects rows of a comparison, so it cannot be searched"),
    ],
)
def test_a_wrong_search_is_one_clear_line(texts, message):
    with pytest.raises(UsageError, match=message) as raised:
        notation.parse_space(texts, Config, parsed)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_status == 2
