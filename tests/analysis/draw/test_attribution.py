"""The figures of attributions show the numbers they are given."""

import jax
import numpy as np
import pytest

from dlcourse import analysis


@pytest.fixture
def pictures() -> jax.Array:
    return jax.random.uniform(jax.random.key(2), (3, 5, 7, 1))


def test_figures_say_what_they_show(pictures) -> None:
    pictures = np.asarray(pictures)
    values = np.random.default_rng(0).normal(size=(3, 2, 5, 7, 1))
    figure = analysis.draw_attributions(
        pictures, values, ["a", "b", "c"], ["cat", "dog"], "red for, blue against"
    )
    assert len(figure.axes) == 9
    assert [axis.get_title() for axis in figure.axes[:3]] == ["", "cat", "dog"]
    shown = figure.axes[2].images[1]
    np.testing.assert_allclose(shown.get_array(), values[0, 1, ..., 0])
    assert shown.get_clim()[1] == np.abs(values[0]).max()

    curve = analysis.DeletionCurve(np.array([0.0, 1.0]), np.array([[1.0, 0.0]]))
    figure = analysis.draw_deletion({"none": curve})
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "none, area 0.500"
