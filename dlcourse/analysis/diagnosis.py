"""Bias and variance, told from the losses of the train and the validation split."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

Verdict = Literal["underfitting", "overfitting", "good"]

REMEDIES = {
    "underfitting": "try a larger model, longer training or less regularisation",
    "overfitting": "try more examples, augmentation, regularisation or a smaller model",
    "good": "nothing needs doing",
}


class Diagnosis(NamedTuple):
    """What two curves say.

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
    """Tells under- from overfitting as deck 002 does, by which of the two last losses is high.

        train high                      underfitting: high bias, whatever the validation loss
        train low, validation high      overfitting: high variance
        both low                        good

    "High" is above `acceptable`. That has to come from outside: from what people or a better model
    reach, or what the task needs; no curve tells by itself how far down it could have gone.

    The sentence adds what the curves show beside: a gap as wide as the bias, a train loss that is
    still falling by more than a tenth in the last fifth of the time, a validation loss that was
    lower by more than a tenth before.

    Args:
        train, validation: losses at the same times, one at least; of training without dropout and
            the like, or the two cannot be held against each other.
        acceptable: up to which loss is low.

    Raises:
        ValueError: the curves differ in length, are empty or hold a value that is no number.
    """
    train, validation = np.asarray(train, float), np.asarray(validation, float)
    if train.shape != validation.shape or train.ndim != 1 or not train.size:
        raise ValueError(f"two curves of one length are needed, not {train.shape} and "
                         f"{validation.shape}")  # fmt: skip
    if not (np.isfinite(train).all() and np.isfinite(validation).all()):
        raise ValueError("a loss is not a finite number")
    fitted, held_out = train[-1], validation[-1]
    verdict: Verdict = "good"
    if fitted > acceptable:
        verdict = "underfitting"
    elif held_out > acceptable:
        verdict = "overfitting"
    relation = {
        "underfitting": f"a train loss above {acceptable:.3g}",
        "overfitting": f"a train loss below {acceptable:.3g} and a validation loss above it",
        "good": f"both losses below {acceptable:.3g}",
    }[verdict]
    remarks = []
    if verdict == "underfitting" and held_out - fitted > fitted - acceptable:
        remarks.append("the gap between the two is wider still: more examples would help too")
    if verdict == "underfitting" and fitted < 0.9 * train[-1 - len(train) // 5]:
        remarks.append("training is still getting better")
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


Curves = tuple[Float[np.ndarray, " times"], Float[np.ndarray, " times"]]
COLORS = {"underfitting": "C0", "overfitting": "C3", "good": "C2"}


def draw_bias_variance(curves: Mapping[tuple[int, int], Curves], acceptable: float) -> Any:
    """Last losses over training size and over capacity, and the verdict of every pair of the two.

    Args:
        curves: train and validation losses by number of examples and number of hidden units; every
            pair of a number of each is there.
        acceptable: as `diagnose` takes it.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch, Rectangle

    sizes = sorted({size for size, _ in curves})
    widths = sorted({width for _, width in curves})
    figure = Figure(figsize=(14, 4.2), layout="constrained")
    over_size, over_width, grid = figure.subplots(1, 3, width_ratios=(4, 4, 5))
    largest = [(size, widths[-1]) for size in sizes], [(sizes[-1], width) for width in widths]
    for panel, places, x in zip((over_size, over_width), largest, (sizes, widths), strict=True):
        for split, name in enumerate(("train", "validation")):
            last = [curves[place][split][-1] for place in places]
            panel.plot(x, last, "os"[split] + "-", color="black", alpha=1 - 0.5 * split, label=name)
        panel.axhline(acceptable, color="C2", linestyle=":", label="acceptable")
        panel.set(xscale="log", yscale="log", ylabel="cross-entropy")
        panel.set_xticks(x, x)
        panel.minorticks_off()
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    over_size.set(xlabel="training examples", title=f"{widths[-1]} hidden units")
    over_width.set(xlabel="hidden units", title=f"{sizes[-1]} training examples")
    for row, size in enumerate(sizes):
        for column, width in enumerate(widths):
            train, validation = curves[size, width]
            verdict = diagnose(train, validation, acceptable).verdict
            grid.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, color=COLORS[verdict], alpha=0.35)
            )
            grid.text(
                column, row, f"{train[-1]:.2g}\n{validation[-1]:.2g}", ha="center", va="center"
            )
    grid.set_xticks(range(len(widths)), widths)
    grid.set_yticks(range(len(sizes)), sizes)
    grid.set(xlim=(-0.5, len(widths) - 0.5), ylim=(-0.5, len(sizes) - 0.5))
    grid.set(
        xlabel="hidden units", ylabel="training examples", title="train loss over validation loss"
    )
    patches = [Patch(color=color, alpha=0.35, label=verdict) for verdict, color in COLORS.items()]
    grid.legend(
        handles=patches,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.15),
        ncols=3,
        fontsize=9,
        frameon=False,
    )
    return figure
