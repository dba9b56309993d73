"""The figures of channels: the most similar images first, a row per image."""

import numpy as np

from dlcourse import analysis


def test_the_figure_of_what_is_alike_shows_the_best_first():
    images = np.random.default_rng(4).random((5, 4, 4, 3)).astype(np.float32)
    similarity = np.array([[[0.1, 0.9, -0.3, 0.5, 0.2]] * 2] * 3, np.float32)
    figure = analysis.draw_alike(images[:2], images, similarity, (7, 0, 4), most=3)
    rows = np.array(figure.axes).reshape(3 * 2, 1 + 3)
    labels = [panel.get_ylabel() for panel in rows[:, 0]]
    assert labels == ["channel 7"] * 2 + ["channel 0"] * 2 + ["channel 4"] * 2
    for row in rows:
        assert [panel.get_title() for panel in row[1:]] == ["0.90", "0.50", "0.20"]
    np.testing.assert_array_equal(rows[1, 0].images[0].get_array(), images[1])
    np.testing.assert_array_equal(rows[0, 1].images[0].get_array(), images[1])


def test_the_figure_of_maps_has_a_row_an_image_and_a_column_a_channel():
    random = np.random.default_rng(5).random
    maps = random((2, 3, 3, 6))
    figure = analysis.draw_maps(random((2, 5, 5, 3)), maps, random((2, 5, 5)), (4, 1))
    rows = np.array(figure.axes).reshape(2, 4)
    titles = [panel.get_title() for panel in rows[0]]
    assert titles == ["image", "saliency", "channel 4", "channel 1"]
    np.testing.assert_array_equal(rows[1, 2].images[0].get_array(), maps[1, ..., 4])
