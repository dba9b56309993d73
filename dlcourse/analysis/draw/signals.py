"""Activations and gradients against depth."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float

from dlcourse import figures

SATURATED = 0.05  # a derivative below it passes hardly any gradient

TITLES = {
    "activation_variance": "variance of activations, $a^l = g(z^l)$",
    "gradient_variance": "variance of gradients, $∂J/∂z^l$",
    "dead": "share of dead units:\n$g'(z) = 0$ on every example",
    "saturated": f"share of saturated (unit, example) pairs:\n$|g'(z)| < {SATURATED}$",
}


class Signal(NamedTuple):
    """One number per hidden layer, from the input to the output.

    Attributes:
        activation_variance: of `a^l = g(z^l)`, over units and examples.
        gradient_variance: of `dJ/dz^l`, over units and examples.
        dead: the share of units with `g'(z) = 0` on every example, which cannot learn.
        saturated: the share of (unit, example) pairs with `|g'(z)| < 0.05`.
    """

    activation_variance: Float[Array, " layers"]
    gradient_variance: Float[Array, " layers"]
    dead: Float[Array, " layers"]
    saturated: Float[Array, " layers"]


def draw_signals(
    columns: Mapping[str, Mapping[str, Signal]],
    measures: Sequence[str] = ("activation_variance", "gradient_variance"),
) -> Any:
    """Measures against depth: one line per network.

    Args:
        columns: for each column of panels its title and its networks by name; a network has one
            look in all columns.
        measures: the fields of `Signal` to draw, one row of panels each. Variances are drawn on a
            logarithmic axis down to 1e-20; the label of a variance of 0 everywhere states it.
    """
    from matplotlib.ticker import MaxNLocator

    figure, panels = figures.new(
        len(measures), len(columns), width=4.6, height=3.1, sharex=True, sharey="row"
    )
    looks = figures.looks(name for signals in columns.values() for name in signals)
    for (column, signals), line in zip(columns.items(), panels.T, strict=True):
        for measure, panel in zip(measures, line, strict=True):
            logarithmic = measure.endswith("variance")
            for name, signal in signals.items():
                values = np.asarray(getattr(signal, measure))
                label = name.replace("_", " ")
                if logarithmic:
                    label += "" if values.any() else " (0 everywhere)"
                    values = np.where(values > 0, values, np.nan)
                figures.line(panel, np.arange(1, len(values) + 1), values, looks[name], label)
            if logarithmic:
                panel.set_yscale("log")
                panel.set_ylim(bottom=max(panel.get_ylim()[0], 1e-20))
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
            panel.set_ylabel(TITLES[measure], fontsize=9)
        figures.title(line[0], column)
        line[-1].set_xlabel("hidden layer")
    for panel in panels[:, 1:].flat:
        panel.set_ylabel("")
    if len({tuple(signals) for signals in columns.values()}) == 1 and not _differ(panels[0]):
        figures.legend_beside(figure, panels[0, 0])
    else:
        figures.legend(*panels[0])
    return figure


def _differ(panels: Sequence[Any]) -> bool:
    """Whether panels have different labels."""
    return len({tuple(panel.get_legend_handles_labels()[1]) for panel in panels}) > 1
