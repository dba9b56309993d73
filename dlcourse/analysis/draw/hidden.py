"""Hidden tokens of a text, for each way of hiding them."""

from collections.abc import Mapping, Sequence
from typing import Any

from dlcourse import figures

WIDTH = 76  # characters of a line


def draw_hidden(rows: Mapping[str, Sequence[tuple[str, bool]]]) -> Any:
    """One block of lines for each row: the pieces of a text, hidden ones on a dark ground.

    Args:
        rows: by name, tokens and whether each is hidden, see `hidden_tokens`.
    """
    lines = {name: _lines(tokens) for name, tokens in rows.items()}
    total = sum(len(of_row) + 1 for of_row in lines.values())
    figure, ((panel,),) = figures.new(width=9.0, height=0.26 * total + 0.4, grid=False)
    panel.set(xlim=(0, WIDTH + 10), ylim=(total, 0))
    panel.axis("off")
    top = 0.5
    for name, of_row in lines.items():
        panel.text(0, top, name, fontsize=9, weight="bold", va="center")
        for line in of_row:
            for place, token, hidden in line:
                panel.text(
                    10 + place, top, token, fontsize=11, family="monospace", va="center",
                    color="white" if hidden else "black",
                    bbox={"boxstyle": "round,pad=0.15", "linewidth": 0,
                          "facecolor": figures.COLORS[0] if hidden else "none"},
                )  # fmt: skip
            top += 1
        top += 1
    return figure


def _lines(tokens: Sequence[tuple[str, bool]]) -> list[list[tuple[int, str, bool]]]:
    """The place of each token in its line; a piece inside a word follows without a space."""
    lines: list[list[tuple[int, str, bool]]] = [[]]
    place = 0
    for token, hidden in tokens:
        piece = token.removeprefix("##")
        place += 0 if piece != token or not lines[-1] else 1
        if place + len(piece) > WIDTH:
            lines.append([])
            place = 0
        lines[-1].append((place, piece, hidden))
        place += len(piece)
    return lines
