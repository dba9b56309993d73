"""How well a score tells anomalies from normal examples."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

Scores = Float[np.ndarray, " n"]


class Detection(NamedTuple):
    """Anomalies found by a score that is larger for them.

    Attributes:
        auroc: the probability that an anomaly scores higher than a normal example; ties count half.
        threshold: above which an example is called an anomaly.
        detected: the share of anomalies above it.
        false_alarms: the share of normal examples above it.
    """

    auroc: float
    threshold: float
    detected: float
    false_alarms: float


def detection(
    validation: Float[np.ndarray, " normal"],
    scores: Scores,
    anomalous: Bool[np.ndarray, " n"],
    share: float = 0.95,
) -> Detection:
    """The threshold is a quantile of normal validation scores: no anomaly is seen to choose it.

    Args:
        validation: scores of normal examples.
        scores: of the test split.
        anomalous: which of them are anomalies.
        share: of the validation scores below the threshold.
    """
    normal, odd = np.sort(scores[~anomalous]), scores[anomalous]
    lower, upper = (np.searchsorted(normal, odd, side=side) for side in ("left", "right"))
    threshold = float(np.quantile(validation, share))
    return Detection(
        float(np.mean(lower + upper) / (2 * len(normal))),
        threshold,
        float(np.mean(odd > threshold)),
        float(np.mean(normal > threshold)),
    )


def roc(
    scores: Scores, anomalous: Bool[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """The receiver operating characteristic: false alarms, and detected anomalies, as shares."""
    thresholds = np.concatenate([[np.inf], np.unique(scores)[::-1]])
    sides = (np.sort(scores[which]) for which in (~anomalous, anomalous))
    false_alarms, detected = (
        1 - np.searchsorted(side, thresholds, side="left") / len(side) for side in sides
    )
    return false_alarms, detected
