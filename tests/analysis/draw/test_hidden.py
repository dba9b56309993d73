"""The figure of hidden tokens shows every piece once, and which are hidden."""

from dlcourse import analysis
from dlcourse.analysis.draw.hidden import WIDTH


def test_pieces_stand_in_lines_and_hidden_ones_have_a_ground():
    tokens = [("no", False), ("cur", True), ("##se", False), *[("long" * 5, False)] * 5]
    (panel,) = analysis.draw_hidden({"basic": tokens, "phrase": tokens[:2]}).axes
    shown = [text for text in panel.texts if text.get_family() == ["monospace"]]
    assert [text.get_text() for text in shown] == [
        "no",
        "cur",
        "se",
        *["long" * 5] * 5,
        "no",
        "cur",
    ]
    hidden = [text.get_text() for text in shown if text.get_color() == "white"]
    assert hidden == ["cur", "cur"]
    no, cur, se, *rest = (text.get_position() for text in shown)
    # A piece follows its word without a space, a word after one.
    assert (cur[0] - no[0], se[0] - cur[0]) == (3, 3)
    assert max(x + 20 for x, _ in rest[:5]) <= 10 + WIDTH
    assert len({y for _, y in rest[:5]}) == 2
