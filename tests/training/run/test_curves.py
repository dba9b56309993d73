"""Learning curves: who is drawn, in which colour, on which axis."""

import matplotlib.figure
import pytest

from dlcourse.training.run.curves import draw_curves


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws rows and gives the panels by title."""

    def draw(rows) -> dict:
        kept = []
        monkeypatch.setattr(matplotlib.figure.Figure, "savefig", lambda f, *a, **k: kept.append(f))
        draw_curves(rows, tmp_path / "curves.png")
        return {panel.get_title(): panel for panel in kept[0].axes if panel.get_visible()}

    return draw


def labels(panel) -> list:
    return [text.get_text() for text in panel.get_legend().get_texts()]


def test_a_line_for_every_split_and_a_logarithmic_axis_for_a_metric_that_falls_far(drawn):
    rows = [
        {"step": step, "split": split, "loss": 2.0 / step, "accuracy": 1 - 1 / step}
        for step in (1, 10, 100)
        for split in ("train", "validation")
    ] + [{"step": 100, "split": "test", "loss": 0.03, "accuracy": None}]
    panels = drawn(rows)
    assert labels(panels["loss"]) == ["train", "validation", "test"]
    assert labels(panels["accuracy"]) == ["train", "validation"]
    assert panels["loss"].get_yscale() == "log"
    assert panels["accuracy"].get_yscale() == "linear"


def test_learners_side_by_side_keep_their_colours_whatever_they_measure(drawn):
    rows = [
        {"step": step, "split": "train", "loss/b": 0.5, "mistakes/a_c": 3.0 - step}
        for step in (1, 2)
    ] + [{"step": 2, "split": "validation", "loss/b": 0.5}]
    panels = drawn(rows)
    assert list(panels) == ["loss, validation", "mistakes, train"]
    assert labels(panels["loss, validation"]) == ["b"]
    assert labels(panels["mistakes, train"]) == ["a c"]
    colors = [line.get_color() for panel in panels.values() for line in panel.lines]
    assert len(set(colors)) == 2


def test_seeds_are_a_mean_and_a_spread_and_what_stays_is_not_magnified(drawn):
    value = {"mean": 0.98, "std": 0.1, "values": [0.88, 1.08]}
    rows = [{"step": step, "split": "validation", "accuracy": value} for step in (1, 2)]
    rows.append({"step": 3, "split": "validation", "accuracy": {"mean": None, "std": None}})
    (panel,) = drawn(rows).values()
    assert panel.get_title() == "accuracy, mean ± std"
    band = panel.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(0.88)
    low, high = panel.get_ylim()
    assert high - low >= 0.0196
