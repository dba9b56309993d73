"""Time series: windows of what came, and what comes next."""

import csv
import dataclasses
import importlib.resources
import io
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse.data.dataset import Dataset, take
from dlcourse.data.text import SPLITS, kept, read
from dlcourse.data.windows import StreamedWindows
from dlcourse.errors import UsageError, UserError

BUNDLED = "co2"
COPY = "series.csv"  # in the folder of a run on a series of one's own
NO_VALUE = ("", "na", "nan", "null", "none", "?")
SHOWN = 10  # columns that a message names


@dataclasses.dataclass(frozen=True)
class Ahead:
    """Makes examples of a series z: example i has

        past_j = z[i - context + j],    future_j = z[i + j]

    It is the `gather` of a `Dataset` whose array is called `series`.

    Attributes:
        context: values of a past.
        horizon: values of a future.
    """

    context: int
    horizon: int

    def __call__(self, arrays: Mapping[str, Any], index: Any) -> dict[str, Any]:
        """From numbers `[...]` to `past`, `[..., context]`, and `future`, `[..., horizon]`."""
        along = np.arange(-self.context, self.horizon, dtype=np.int32)
        window = take(arrays["series"], index[..., None] + along.reshape((1,) * index.ndim + (-1,)))
        return {"past": window[..., : self.context], "future": window[..., self.context :]}


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Series(Dataset):
    """A series cut into windows.

    Attributes:
        values: in the series' own unit.
        mean, scale: of the train split: the mean and the standard deviation.
        unit: name of the unit.
        copies: what a run on it keeps, by file name: the file, if it is one of the user's own.
    """

    values: Float[np.ndarray, " times"]
    mean: float
    scale: float
    unit: str
    copies: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def original(self, z: Any) -> Any:
        """Standardised values in the series' own unit."""
        return self.mean + self.scale * z


def series(
    name: str,
    column: str | None = None,
    *,
    context: int,
    horizon: int,
    stream: bool = False,
    folder: pathlib.Path | None = None,
) -> Series:
    """A series in windows; see `windows`.

    Args:
        name: `co2`, which is bundled: the weekly carbon dioxide at Mauna Loa, whose 59 missing
            weeks are interpolated linearly (see `bundled/README.md`). Or the path of a `.csv` file
            whose first line names the columns; its rows are in the order of time.
        column: of that file; not needed if it has only one.
        context: values that a forecast sees.
        horizon: values that it predicts.
        stream: make windows on the host when they are needed.
        folder: of the run; its copy of a file of one's own is read in place of the original, which
            may have changed since.

    Raises:
        UsageError: no such file or column.
        UserError: the column has gaps or something else than numbers, or it is too short.
    """
    sizes: dict[str, Any] = {"context": context, "horizon": horizon, "stream": stream}
    if name == BUNDLED:
        place = importlib.resources.files("dlcourse.data") / "bundled" / f"{BUNDLED}.csv"
        values = _column(name, place.read_text(), BUNDLED)
        known = np.isfinite(values)
        values = np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])
        return windows(name, values, "ppmv", **sizes)
    if not name.endswith(".csv"):
        raise UsageError(f"'{name}' is neither '{BUNDLED}', which is bundled, nor a .csv file.")
    content = read(kept(name, folder, COPY))
    values = _column(name, content, column)
    lacking = np.flatnonzero(np.isnan(values))
    if len(lacking):
        raise UserError(
            f"{name} has no value in {len(lacking)} of {len(values)} rows of column "
            f"'{column or 'of its own'}', first in row {lacking[0] + 1}. Fill the gaps first, for "
            "example by interpolation."
        )
    made = windows(name, values, column or "value", **sizes)
    return dataclasses.replace(made, copies={COPY: content})


def windows(
    name: str,
    values: Float[np.ndarray, " times"],
    unit: str = "value",
    *,
    context: int,
    horizon: int,
    stream: bool = False,
) -> Series:
    """A set whose examples are a stretch of a series and what follows.

    The first 70 % of the series are the train split, then 15 % validation and 15 % test. All
    values are standardised by the mean and the standard deviation of the train split alone. An
    example belongs to the split in which its whole future lies; its past may reach back into the
    split before.

    Args:
        name: of the set.
        values: evenly spaced in time.
        unit: of the values, for tables and figures.
        context, horizon, stream: as in `series`.

    Returns:
        A set whose batches hold `past`, float32 `[batch, context]`, and `future`, float32 `[batch,
        horizon]`.

    Raises:
        UserError: the series is too short or constant.
    """
    first, second, end = int(0.7 * len(values)), int(0.85 * len(values)), len(values)
    starts = dict(zip(SPLITS, ((context, first), (first, second), (second, end)), strict=True))
    for split, (start, stop) in starts.items():
        if stop - start < horizon:
            needed = context + horizon if split == "train" else horizon
            raise UserError(
                f"The {split} split of '{name}' has {stop - start * (split != 'train')} values; a "
                f"context of {context} and a horizon of {horizon} need {needed}."
            )
    mean, scale = float(values[:first].mean()), float(values[:first].std())
    if scale == 0:
        raise UserError(f"The train split of '{name}' is {values[0]:g} everywhere.")
    arrays = {"series": ((values - mean) / scale).astype(np.float32)}
    ahead = Ahead(context, horizon)
    return Series(
        name,
        StreamedWindows(arrays, ahead, end) if stream else arrays,
        {split: np.arange(start, stop - horizon + 1) for split, (start, stop) in starts.items()},
        gather=ahead,
        values=values,
        mean=mean,
        scale=scale,
        unit=unit,
    )


def _column(name: str, content: str, column: str | None) -> Float[np.ndarray, " times"]:
    """The numbers of a column of a CSV file, nan where there is none."""
    rows = list(csv.reader(io.StringIO(content)))
    names = [each.strip() for each in rows[0]] if rows else []
    if column is None and len(names) == 1:
        column = names[0]
    if column not in names:
        shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
        problem = "has several columns" if column is None else f"has no column '{column}'"
        raise UsageError(f"{name} {problem}; name one with --column: {shown or 'it is empty'}.")
    place, values = names.index(column), []
    for number, row in enumerate(filter(None, rows[1:]), start=1):
        cell = row[place].strip() if place < len(row) else ""
        try:
            value = math.nan if cell.lower() in NO_VALUE else float(cell)
        except ValueError:
            value = math.inf
        if math.isinf(value):
            raise UserError(
                f"'{cell}' in row {number} of column '{column}' of {name} is no number."
            )
        values.append(value)
    return np.array(values, np.float64)
