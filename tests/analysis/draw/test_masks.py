"""The figures of masks: clear background, and scores of the lowest of many classes."""

import numpy as np

from dlcourse import analysis
from dlcourse.data import IGNORE


def test_the_figure_shows_background_and_ignored_pixels_clear():
    masks = np.array([[[0, 1], [IGNORE, 1]]])
    classes = ("background", "a", "never")
    figure = analysis.draw_masks(np.zeros((1, 2, 2, 3)), {"truth": masks}, classes)
    shade = np.asarray(figure.axes[1].images[1].get_array())
    np.testing.assert_array_equal(shade[..., 3] > 0, masks[0] == 1)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a"]


def test_of_many_classes_the_lowest_scores_are_drawn():
    scores = {f"class {n}": np.array([n / 50, np.nan if n == 49 else n / 50]) for n in range(50)}
    (panel,) = analysis.draw_class_iou({"net": scores}).axes
    shown = [label.get_text() for label in panel.get_xticklabels()]
    assert shown == [f"class {n}" for n in range(30)]
    assert "the 30 lowest of 50 classes" in panel.get_title().replace("\n", " ")
