"""Anomaly detection: the trade-off of each detector, and the scores of one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from dlcourse import figures
from dlcourse.analysis.measure.anomalies import Detection, roc

Scores = tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]


def draw_anomalies(scores: Mapping[str, Scores], found: Mapping[str, Detection]) -> Any:
    """The ROC curve of each detector, and the scores of the one with the smallest area.

    Args:
        scores: by detector, scores and which of them are of anomalies.
        found: by detector, see `detection`.
    """
    figure, ((left, right),) = figures.new(1, 2, width=4.8, height=3.8)
    for (name, of_detector), look in zip(
        scores.items(), figures.looks(scores).values(), strict=True
    ):
        label = f"{name} ({found[name].auroc:.3f})"
        left.plot(*roc(*of_detector), look.dash, color=look.color, label=label)
    left.set(xlabel="false alarms", ylabel="detected anomalies", xlim=(-0.01, 1), ylim=(0, 1.01))
    figures.legend(left)
    worst = min(found, key=lambda name: found[name].auroc)
    values, anomalous = scores[worst]
    bins = np.histogram_bin_edges(np.clip(values, None, np.quantile(values, 0.99)), 40)
    for which, label, color in (
        (~anomalous, "normal", figures.NEGATIVE),
        (anomalous, "anomalies", figures.POSITIVE),
    ):
        right.hist(values[which], bins, density=True, alpha=0.6, color=color, label=label)
    right.axvline(found[worst].threshold, color="black", linestyle="--", label="threshold")
    right.set(xlabel="squared error of the reconstruction", ylabel="density")
    figures.title(right, f"{worst}, the smallest area")
    figures.legend(right)
    return figure
