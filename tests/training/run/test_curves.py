"""Learning curves: their lines, looks, order, axes and bands."""

import numpy as np
import pytest

from dlcourse.training.run.curves import draw_curves


def drawn(rows) -> dict:
    """The panels by title."""
    return {panel.get_title(): panel for panel in draw_curves(rows).axes if panel.get_visible()}


def labels(legend) -> list:
    return [text.get_text() for text in legend.get_texts()]


def test_a_line_for_every_split_and_a_logarithmic_axis_for_a_metric_that_falls_far():
    rows = [
        {"step": step, "split": split, "loss": 2.0 / step, "accuracy": 1 - 1 / step}
        for step in (1, 10, 100)
        for split in ("train", "validation")
    ] + [{"step": 100, "split": "test", "loss": 0.03, "accuracy": None}]
    panels = drawn(rows)
    assert labels(panels["loss"].get_legend()) == ["train", "validation", "test"]
    assert labels(panels["accuracy"].get_legend()) == ["train", "validation"]
    assert panels["loss"].get_yscale() == "log"
    assert panels["accuracy"].get_yscale() == "linear"


def test_learners_side_by_side_keep_their_looks_whatever_they_measure():
    rows = [
        {"step": step, "split": "train", "loss/b": 0.5, "mistakes/a_c": 3.0 - step}
        for step in (1, 2)
    ] + [{"step": 2, "split": "validation", "loss/b": 0.5}]
    figure = draw_curves(rows)
    panels = {panel.get_title(): panel for panel in figure.axes if panel.get_visible()}
    assert list(panels) == ["loss, validation", "mistakes, train"]
    (legend,) = figure.legends
    assert labels(legend) == ["b", "a c"]
    assert [line.get_label() for line in panels["loss, validation"].lines] == ["b"]
    assert [line.get_label() for line in panels["mistakes, train"].lines] == ["a c"]
    colors = [line.get_color() for panel in panels.values() for line in panel.lines]
    assert len(set(colors)) == 2


def test_learners_come_in_natural_order():
    rows = [
        {"step": step, "split": "train", **{f"loss/{n}_units": 1.0 for n in (1, 128, 2, 8)}}
        for step in (1, 2)
    ]
    (legend,) = draw_curves(rows).legends
    assert labels(legend) == ["1 units", "2 units", "8 units", "128 units"]


def test_seeds_are_a_mean_and_a_spread_and_noise_is_not_magnified():
    value = {"mean": 0.98, "std": 0.1, "values": [0.88, 1.08]}
    rows = [{"step": step, "split": "validation", "accuracy": value} for step in (1, 2)]
    rows.append({"step": 3, "split": "validation", "accuracy": {"mean": None, "std": None}})
    (panel,) = drawn(rows).values()
    assert panel.get_title() == "accuracy, mean ± std"
    band = panel.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(0.88)
    low, high = panel.get_ylim()
    assert high - low >= 0.0196


def test_a_constant_metric_has_a_span_of_two_percent():
    rows = [{"step": step, "split": "train", "loss": 0.5 + 1e-6 * step} for step in (1, 2)]
    (panel,) = drawn(rows).values()
    np.testing.assert_allclose(panel.get_ylim(), (0.495, 0.505), rtol=1e-3)


def test_a_band_of_a_loss_ends_at_zero():
    value = {"mean": 0.1, "std": 0.3, "values": [0.0, 0.2]}
    rows = [{"step": step, "split": "train", "loss": value} for step in (1, 2)]
    (panel,) = drawn(rows).values()
    assert panel.collections[0].get_paths()[0].vertices[:, 1].min() == 0


def test_values_that_are_not_finite_leave_a_gap():
    rows = [{"step": s, "split": "train", "loss": v} for s, v in ((1, 3.0), (2, np.nan), (3, 2.0))]
    (panel,) = drawn(rows).values()
    low, high = panel.get_ylim()
    assert 1.9 < low < 2 < 3 < high < 3.1


def test_without_metrics_there_is_no_figure():
    assert draw_curves([{"step": 1, "split": "train"}]) is None
