"""The confusion matrix: every count, and the 30 worst of many classes."""

import numpy as np

from dlcourse import analysis


def test_every_count_is_in_the_matrix():
    labels, predicted = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 0])
    figure = analysis.draw_confusion(labels, predicted, ("a", "b", "c"))
    (panel,) = figure.axes
    counts = {text.get_position(): int(text.get_text()) for text in panel.texts}
    assert counts == {(0, 0): 1, (1, 0): 1, (1, 1): 1, (2, 2): 2, (0, 2): 1}
    assert "6 test examples, 66.67% correct" in figure.get_suptitle()
    shade = panel.images[0].get_array()
    np.testing.assert_allclose(shade, [[0, 1 / 2, 0], [0, 0, 0], [1 / 3, 0, 0]])


def test_of_many_classes_the_most_confused_are_drawn():
    labels = np.arange(100)
    predicted = np.where(labels % 10 == 3, (labels + 10) % 100, labels)
    figure = analysis.draw_confusion(labels, predicted, [f"class {n}" for n in range(100)])
    (panel,) = figure.axes
    shown = {text.get_text() for text in panel.get_yticklabels()}
    assert len(shown) == 30
    assert shown >= {f"class {n}" for n in range(100) if n % 10 == 3}
    assert "the 30 of 100 classes with the most mistakes" in figure.get_suptitle()
    assert "100 test examples, 90.00% correct" in figure.get_suptitle()
