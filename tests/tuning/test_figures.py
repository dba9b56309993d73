"""Figures of studies: lines and bars stand where the trials are."""

import dataclasses

import numpy as np

from dlcourse import tuning
from dlcourse.tuning.efficiency import expected_best, quantile_best
from dlcourse.tuning.figures import draw_efficiency, draw_importances, draw_parallel
from dlcourse.tuning.trial import Trial


def test_the_best_line_ends_on_top_and_trials_without_a_result_do_not_end():
    space = {"x": tuning.LogUniform(1e-3, 1.0), "z": tuning.Choice("a", "b")}
    values = [{"x": 10.0**-k, "z": "ab"[k % 2]} for k in range(4)]
    trials = [Trial(n, v, "complete", float(n)) for n, v in enumerate(values)]
    trials[3] = dataclasses.replace(trials[3], state="diverged", value=None)
    panel = draw_parallel(trials, space, "min loss").axes[0]
    (red,) = [line for line in panel.lines if line.get_color() == "C3"]
    np.testing.assert_allclose(red.get_ydata(), [1.0, 0.25, 1.0])
    (dotted,) = [line for line in panel.lines if line.get_linestyle() == ":"]
    np.testing.assert_allclose(dotted.get_ydata(), [0.0, 0.75], atol=1e-12)
    bars = draw_importances({"x": 0.9, "z": 0.1}, "min loss", 3).axes[0].patches
    assert sorted(bar.get_width() for bar in bars) == [0.1, 0.9]


def test_efficiency_ends_at_the_best_of_each_grid():
    random = np.array([0.2, 0.9, 0.5, 0.7, 0.1])
    grids = {2: np.array([0.3, 0.6]), 4: np.array([0.4, 0.8, 0.1, 0.2])}
    panel = draw_efficiency(random, grids, "Random and grids").axes[0]
    lines = {line.get_label(): line for line in panel.lines}
    mean = lines["random, mean"]
    np.testing.assert_array_equal(mean.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_allclose(mean.get_ydata(), 1 - expected_best(random)[:4])
    for trials, values in grids.items():
        line = lines[f"grid of {trials}, in any order"]
        assert line.get_ydata()[0] == 1 - values.mean()
        assert line.get_ydata()[-1] == 1 - values.max()
        assert len(line.get_xdata()) == trials
    (band,) = panel.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == 1 - quantile_best(random, 0.9)[:4].max()
    assert heights.max() == 1 - quantile_best(random, 0.1)[:4].min()
