"""The looks of lines by name, and the order of names."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

# Lines with the same dash differ in lightness, so that they can be told apart in grey.
COLORS = (
    "#1f77b4", "#f0a030", "#0b5d33", "#d62728", "#332288", "#b8479b",
    "#44c0a8", "#f4a6b8", "#88ccee", "#6b3a12", "#8a8a1f", "#222222",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*", "h")
DASHES = ("-", "--", "-.", ":")


class Look(NamedTuple):
    """How the line of one name is drawn, in every panel."""

    color: str
    marker: str
    dash: str


def looks(names: Iterable[str]) -> dict[str, Look]:
    """A look for each name, by its place among the distinct names.

    The first 12 differ in marker, and in dash or lightness; the first 48 differ in marker or dash.
    """
    found = {}
    for place, name in enumerate(dict.fromkeys(names)):
        turn, entry = divmod(place, len(COLORS))
        dash = DASHES[(entry + turn) % len(DASHES)]
        found[name] = Look(COLORS[entry], MARKERS[entry], dash)
    return found


def natural(names: Iterable[str]) -> list[str]:
    """Names in natural order: numbers within them by value, so 1, 2, 8, 128."""

    def parts(name: str) -> list[Any]:
        # `split` with a group alternates text and numbers, so equal places have equal types.
        pieces = re.split(r"(\d+(?:\.\d+)?(?:e[-+]?\d+)?)", name)
        return [float(piece) if i % 2 else piece.lower() for i, piece in enumerate(pieces)]

    return sorted(names, key=parts)
