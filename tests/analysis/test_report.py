"""Reports: the table as JSON, picture and text, marks of missed targets, and escaped names."""

import json

import numpy as np
import pytest
from PIL import Image

from dlcourse import analysis, figures


@pytest.fixture
def saved(tmp_path, capsys):
    """Saves a report and gives its printed text and the content of `table.json`."""

    def save(*args, **options) -> tuple[str, dict]:
        analysis.Report(*args, **options).save(tmp_path / "run")
        file = tmp_path / "run" / "table.json"
        return capsys.readouterr().out, json.loads(file.read_text()) if file.exists() else {}

    return save


def row(printed: str, name: str) -> list[str]:
    """The cells of a printed row."""
    (line,) = [line for line in printed.splitlines() if f"│ {name} " in line]
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_a_table_of_several_measurements_is_printed_and_written(saved):
    rows = {
        "none": {"test": np.array([0.8, 0.9]), "zeros": "1%"},
        "one seed": {"test": np.array(0.5)},
    }
    printed, table = saved(analysis.Table("accuracy", rows))
    assert row(printed, "none") == ["none", "0.85 ± 0.07", "1%"]
    assert row(printed, "one seed") == ["one seed", "0.5", ""]
    assert table["columns"] == ["test", "zeros"]
    assert table["rows"]["none"]["test"]["values"] == [0.8, 0.9]
    assert table["rows"]["none"]["test"]["std"] == pytest.approx(0.0707, abs=1e-3)
    assert table["rows"]["one seed"] == {
        "test": {"mean": 0.5, "std": None, "values": [0.5]},
        "zeros": None,
    }


def test_a_mean_is_over_the_seeds_that_did_not_diverge(saved):
    measured = {"some": np.array([0.25, np.nan, 0.75]), "none": np.array([np.nan, np.nan])}
    printed, written = saved(analysis.Table.of_metric("title", "loss", measured, percent=False))
    assert row(printed, "some") == ["some", "0.5 ± 0.4", "2 of 3"]
    assert row(printed, "none")[2] == "0 of 2"
    assert written["rows"]["some"]["loss"]["mean"] == 0.5
    assert written["rows"]["some"]["loss"]["values"] == [0.25, None, 0.75]


def test_a_table_with_references_marks_the_missed_ones(saved, tmp_path):
    measured = {"a": np.array([0.01, 0.03]), "b": np.array([0.5]), "c": np.array([0.1])}
    references = {"a": 0.02, "b": 0.4}
    table = analysis.Table.of_metric("title", "error", measured, references, lower_is_better=True)
    printed, written = saved(table)
    assert row(printed, "a") == ["a", "2.00% ± 1.41%", "2", "2.00%", "reached"]
    assert row(printed, "b") == ["b", "50.00%", "1", "40.00%", "missed"]
    assert row(printed, "c") == ["c", "10.00%", "1", "", ""]
    assert written["reached"] == {"a": True, "b": False, "c": None}
    assert written["references"] == {"a": 0.02, "b": 0.4, "c": None}
    assert written["lower_is_better"] is True
    assert written["rows"]["a"]["error"]["std"] == pytest.approx(0.01414, abs=1e-5)
    assert (tmp_path / "run" / "table.png").stat().st_size > 1000


def test_a_higher_value_reaches_its_reference_unless_lower_is_better():
    for lower, expected in ((False, True), (True, False)):
        table = analysis.Table.of_metric("t", "q", {"a": [0.6]}, {"a": 0.5}, lower)
        assert table.reached("a") is expected


def test_values_beyond_shares_are_not_shown_in_percent(saved):
    printed, _ = saved(analysis.Table.of_metric("t", "return", {"a": [21.04, 19.0]}))
    assert row(printed, "a")[1] == "20 ± 1"
    printed, _ = saved(analysis.Table.of_metric("t", "loss", {"a": [0.25]}, percent=False))
    assert row(printed, "a")[1] == "0.25"


def test_diverged_rows_are_marked_and_miss_their_reference(saved):
    table = analysis.Table.of_metric(
        "t", "accuracy", {"good": [0.9], "bad": [np.nan]}, {"bad": 0.5}, diverged=("bad", "gone")
    )
    printed, written = saved(table)
    assert row(printed, "bad")[1] == row(printed, "gone")[1] == "diverged"
    assert row(printed, "bad")[-1] == "missed"
    assert written["diverged"] == ["bad", "gone"]
    assert written["rows"]["bad"]["accuracy"] == {"mean": None, "std": None, "values": [None]}
    assert written["rows"]["gone"]["accuracy"] is None
    texts = [text.get_text() for text in table.draw().axes[0].texts]
    assert texts == ["90.00%", "diverged", "diverged"]


def test_a_table_of_diverged_rows_alone_has_no_picture(saved, tmp_path):
    printed, written = saved(analysis.Table.of_metric("t", "loss", {}, diverged=("a",)))
    assert row(printed, "a")[1] == "diverged"
    assert written["rows"] == {"a": {"loss": None}}
    assert not (tmp_path / "run" / "table.png").exists()


def test_rows_and_columns_keep_the_order_given():
    rows = {"b": {"y": 1, "x": 2}, "a": {"z": 3}}
    table = analysis.Table("t", rows)
    assert table.names == ["b", "a"]
    assert table.columns == ["y", "x", "z"]


def test_references_need_a_column_and_rows():
    with pytest.raises(ValueError, match="references need their column; 'None'"):
        analysis.Table("t", {"a": {"x": 1}}, references={"a": 1.0})
    with pytest.raises(ValueError, match="unknown rows: b"):
        analysis.Table.of_metric("t", "x", {"a": [1]}, {"b": 1.0})


def test_names_and_notes_are_never_markup(saved):
    table = analysis.Table("[bold]t", {"[red]a": {"[i]c": "[/]text"}})
    printed, _ = saved(table, notes=["[blue]note[/blue] of [1, 2]"])
    for text in ("[bold]t", "[red]a", "[i]c", "[/]text", "[blue]note[/blue] of [1, 2]"):
        assert text in printed


def test_the_last_line_says_where_everything_is(saved, tmp_path):
    printed, _ = saved(notes=["one", "two"])
    assert printed.splitlines() == ["one", "two", f"Everything is in {tmp_path / 'run'}"]


def test_figures_are_saved_by_name(saved, tmp_path):
    figure, ((panel,),) = figures.new()
    panel.plot([1, 2])
    saved(figures={"curve": figure})
    with Image.open(tmp_path / "run" / "figures" / "curve.png") as picture:
        assert min(picture.size) > 100


def test_the_picture_shows_means_spreads_and_references():
    table = analysis.Table.of_metric(
        "t", "accuracy", {"a": [0.9, 0.92], "b": [0.8]}, {"a": 0.95, "b": 0.7}
    )
    (panel,) = table.draw().axes
    assert panel.get_xlabel() == "accuracy, %"
    points, references = panel.lines[0], panel.lines[-1]
    np.testing.assert_allclose(points.get_xdata(), [91, 80])
    np.testing.assert_allclose(references.get_xdata(), [95, 70])
    assert panel.texts[0].get_text() == "91.00% ± 1.41%, missed"
    assert panel.texts[1].get_text() == "80.00%"
    low, high = panel.get_xlim()
    assert 0 < low < 70 < 95 < high < 110


def test_the_picture_has_a_panel_for_every_numeric_column():
    rows = {f"row {i}": {**{f"c{j}": float(i + j) for j in range(8)}, "text": "x"} for i in (0, 1)}
    figure = analysis.Table("t", rows).draw()
    assert [panel.get_xlabel() for panel in figure.axes] == [f"c{j}" for j in range(6)]
    assert "the first 6 of 8 columns" in figure.get_suptitle()
