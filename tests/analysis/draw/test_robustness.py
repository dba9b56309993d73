"""The figures of robustness show the numbers they are given."""

import jax.numpy as jnp
import numpy as np

from dlcourse import analysis


def test_figures_say_what_they_show(logits, batch, key) -> None:
    x, y = batch
    epsilons = np.array([0.0, 0.1])
    figure = analysis.draw_robustness(
        {"L∞": {"plain": (epsilons, [0.9, 0.1])}, "L2": {"plain": (epsilons, [0.9, 0.5])}}
    )
    assert [panel.get_title() for panel in figure.axes] == ["L∞", "L2"]
    line = figure.axes[1].lines[0]
    np.testing.assert_allclose(line.get_xydata(), [[0, 90], [0.1, 50]])

    attacked = np.stack([analysis.fgsm(logits, key, x[:3], y[:3], float(e)) for e in epsilons])
    guesses = [[str(int(c)) for c in jnp.argmax(logits(z), -1)] for z in attacked]
    figure = analysis.draw_attacked(attacked, guesses, [str(int(c)) for c in y[:3]], epsilons)
    assert len(figure.axes) == 6
    assert figure.axes[0].get_title() == guesses[0][0]
    assert [panel.texts[0].get_text() for panel in figure.axes[:2]] == ["ε = 0", "ε = 0.1"]
