"""Time series: windows that stay in their split, scaled by the train split; bad files."""

import hashlib
import importlib.resources

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse import data
from dlcourse.errors import UsageError, UserError

VALUES = np.arange(60.0) ** 2
SIZES = {"context": 5, "horizon": 3}
FIRST, SECOND = 42, 51  # where the validation and the test split begin


@pytest.fixture(scope="module")
def squares():
    return data.windows("squares", VALUES, **SIZES)


def test_a_window_is_a_past_and_its_future(squares):
    batch = squares.read(squares.splits["train"])
    for number, past, future in zip(batch["index"], batch["past"], batch["future"], strict=True):
        np.testing.assert_allclose(squares.original(past), VALUES[number - 5 : number], atol=1e-3)
        np.testing.assert_allclose(squares.original(future), VALUES[number : number + 3], atol=1e-3)
    assert batch["past"].dtype == batch["future"].dtype == np.float32


def test_no_future_leaves_its_split_and_each_value_is_in_one(squares):
    starts = {"train": (5, FIRST), "validation": (FIRST, SECOND), "test": (SECOND, 60)}
    for split, (start, stop) in starts.items():
        targets = squares.splits[split][:, None] + np.arange(3)
        assert sorted(set(targets.ravel().tolist())) == list(range(start, stop))
        # The past is in order of time and never before the series.
        assert squares.splits[split].min() - 5 >= 0


def test_the_train_split_alone_gives_the_scale(squares):
    other = np.where(np.arange(60) < FIRST, VALUES, -1e4)
    changed = data.windows("changed", other, **SIZES)
    assert (changed.mean, changed.scale) == (squares.mean, squares.scale)
    z = squares.examples["series"][:FIRST]
    np.testing.assert_allclose([z.mean(), z.std()], [0, 1], atol=1e-6)
    for name, array in changed.read(changed.splits["train"]).items():
        np.testing.assert_array_equal(array, squares.read(squares.splits["train"])[name])


def test_windows_are_gathered_on_the_device_like_on_the_host(squares):
    index = np.array([[5, 20, 39], [42, 48, 57]], np.int32)  # with an axis of seeds
    expected = squares.read(index)
    found = jax.jit(squares.gather)(jax.tree.map(jnp.asarray, dict(squares.examples)), index)
    for name, array in found.items():
        np.testing.assert_array_equal(array, expected[name])
    streamed = data.windows("squares", VALUES, **SIZES, stream=True)
    assert not streamed.in_memory
    for name, array in streamed.read(index).items():
        np.testing.assert_array_equal(array, expected[name])


def test_the_bundled_series():
    place = importlib.resources.files("dlcourse.data") / "bundled" / "co2.csv"
    content = place.read_bytes()
    # The file of statsmodels 0.15.0.
    assert hashlib.sha256(content).hexdigest() == (
        "16695fa2786e53414e5a6b54767a3fdf5de99cfbc68617f69d1362d92776a92f"
    )
    series = data.series("co2", context=52, horizon=26)
    lines = content.decode().splitlines()[1:]
    given = np.array([float(line.split(",")[1] or "nan") for line in lines])
    known = np.isfinite(given)
    assert (len(given), (~known).sum(), series.unit) == (2284, 59, "ppmv")
    np.testing.assert_array_equal(series.values[known], given[known])
    # A gap of one week is half way between its neighbours.
    (place,) = np.flatnonzero(~known)[:1]
    assert known[place - 1]
    assert known[place + 1]
    assert series.values[place] == pytest.approx((given[place - 1] + given[place + 1]) / 2)
    assert {s: len(n) for s, n in series.splits.items()} == {
        "train": 1521, "validation": 318, "test": 318,
    }  # fmt: skip


@pytest.fixture
def own(tmp_path):
    def write(content):
        place = tmp_path / "own.csv"
        place.write_bytes(content)
        return str(place)

    return write


def test_a_column_of_ones_own_file(own):
    rows = "\n".join(f"{day},{day * day}, {day}.5 " for day in range(60))
    place = own(f"\ufeffday, square,half\n{rows}\n\n".encode())
    found = data.series(place, "square", **SIZES)
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.unit == "square"
    assert data.series(place, "half", **SIZES).values[3] == 3.5


def test_a_run_reads_its_own_copy(own, tmp_path):
    place = own(("x\n" + "\n".join(map(str, range(60)))).encode())
    made = data.series(place, **SIZES)
    folder = tmp_path / "run"
    folder.mkdir()
    for name, content in made.copies.items():
        (folder / name).write_text(content)
    own(b"x\n1\n")
    np.testing.assert_array_equal(data.series(place, **SIZES, folder=folder).values, np.arange(60))


NUMBERS = b"\n".join(b"%d,1" % n for n in range(60))


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"a,b\n" + NUMBERS, UsageError, r"own\.csv has no column 'x'; name one with .*: a, b\.$"),
        (b"", UsageError, "has no column 'x'; name one with --column: it is empty"),
        (b"x,y\n1,2\n,3\nNA,4\n5,6", UserError, "no value in 2 of 4 rows .*, first in row 2"),
        (b"y,x\n1,2\n3", UserError, "no value in 1 of 2 rows of column 'x', first in row 2"),
        (b"x\n1\nmany\n", UserError, r"'many' in row 2 of column 'x' of .*own\.csv is no number"),
        (b"x\n1\ninf\n", UserError, "'inf' in row 2 of column 'x'"),
        (b"x\n1\n2\n", UserError, "train split of .* has 1 values; .* need 8"),
        (b"x,y\n" + NUMBERS[:55], UserError, "validation split of .* has 2 values; .* need 3"),
        (b"y,x\n" + NUMBERS, UserError, r"train split of .*own\.csv' is 1 everywhere"),
        (b"x\n\xff\n", UserError, "is not UTF-8"),
    ],
)  # fmt: skip
def test_files_of_no_use_are_refused_in_one_line(own, content, error, message):
    with pytest.raises(error, match=message) as raised:
        data.series(own(content), "x", **SIZES)
    assert "\n" not in str(raised.value)


def test_a_file_of_several_columns_needs_a_name(own):
    with pytest.raises(UsageError, match="has several columns; name one with --column: a, b"):
        data.series(own(b"a,b\n1,2\n"), **SIZES)


def test_a_series_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"none\.csv cannot be read \(No such file"):
        data.series(str(tmp_path / "none.csv"), **SIZES)
    with pytest.raises(UsageError, match=r"'sunspots' is neither 'co2', which is bundled, nor a"):
        data.series("sunspots", **SIZES)
