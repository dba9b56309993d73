"""Diagnosis of bias and variance from the losses of the train and the validation split."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

Verdict = Literal["underfitting", "overfitting", "good"]

REMEDIES = {
    "underfitting": "try a larger model, longer training or less regularisation",
    "overfitting": "try more examples, augmentation, regularisation or a smaller model",
    "good": "no change is needed",
}


class Diagnosis(NamedTuple):
    """The diagnosis of two curves.

    Attributes:
        verdict: `underfitting` (high bias), `overfitting` (high variance) or `good`.
        sentence: the same for a person, with the numbers and what to try.
    """

    verdict: Verdict
    sentence: str


def diagnose(
    train: Float[np.ndarray, " times"] | Sequence[float],
    validation: Float[np.ndarray, " times"] | Sequence[float],
    acceptable: float,
) -> Diagnosis:
    """Tells underfitting from overfitting by the last losses, as deck 002 does.

        train loss high                              underfitting: high bias
        train loss low, validation loss high         overfitting: high variance
        both low                                     good

    "High" is above `acceptable`. This limit has to come from outside: the loss of people or of a
    better model, or the need of the task. A curve alone does not show how low it could have gone.

    The sentence adds three observations: a gap wider than the bias, a train loss that still falls
    by more than a tenth in the last fifth of the time, and a validation loss that was lower by
    more than a tenth before.

    Args:
        train, validation: losses at the same times, at least one. The train loss must be measured
            without dropout and augmentation, so that the two can be compared.
        acceptable: losses up to this value are low.

    Raises:
        ValueError: the curves differ in length, are empty or hold a value that is not finite.
    """
    train, validation = np.asarray(train, float), np.asarray(validation, float)
    if train.shape != validation.shape or train.ndim != 1 or not train.size:
        raise ValueError(f"two curves of one length are needed, not {train.shape} and "
                         f"{validation.shape}")  # fmt: skip
    if not (np.isfinite(train).all() and np.isfinite(validation).all()):
        raise ValueError("a loss is not finite")
    fitted, held_out = train[-1], validation[-1]
    verdict: Verdict = "good"
    if fitted > acceptable:
        verdict = "underfitting"
    elif held_out > acceptable:
        verdict = "overfitting"
    relation = {
        "underfitting": f"train loss above {acceptable:.3g}",
        "overfitting": f"train loss below {acceptable:.3g}, validation loss above it",
        "good": f"both losses below {acceptable:.3g}",
    }[verdict]
    remarks = []
    if verdict == "underfitting" and held_out - fitted > fitted - acceptable:
        remarks.append("the gap between the two is even wider: more examples would help too")
    if verdict == "underfitting" and fitted < 0.9 * train[-1 - len(train) // 5]:
        remarks.append("the train loss is still falling")
    if held_out > 1.1 * validation.min() and verdict != "good":
        best = 1 + int(validation.argmin())
        remarks.append(
            f"the validation loss was {validation.min():.3g} at evaluation {best} of "
            f"{len(validation)}: stop there"
        )
    sentence = (
        f"{verdict}: {relation} (train {fitted:.3g}, validation {held_out:.3g}); "
        + "; ".join([*remarks, REMEDIES[verdict]])
    )
    return Diagnosis(verdict, sentence)
