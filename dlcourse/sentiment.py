"""Praise or blame: what a trained text classifier makes of one's own sentences (deck 003).

python -m dlcourse.sentiment runs/sentiment/20260101-120000/GRU "This film is great"
"""

import pathlib
import sys

import numpy as np
from jaxtyping import Float

from dlcourse.data import LabelledTexts
from dlcourse.errors import UsageError, UserError
from dlcourse.training import Run, load

POSITIVE = "positive"
SENTENCES = (
    "This film is great",
    "This film is terrible",
    "This film is not great",
    "The acting is dull, but the film is delightful",
    "The film is delightful, but the acting is dull",
)  # to begin with


def predict_sentiment(run: Run | pathlib.Path | str, *texts: str) -> Float[np.ndarray, " texts"]:
    """The probability that each text is positive.

        predict_sentiment("runs/sentiment/20260101-120000/GRU", "This film is great")

    Args:
        run: of `experiments/sequence/sentiment.py`, or its folder.
        texts: to be judged.

    Raises:
        UserError: the folder holds no finished run, or of another experiment; a text is empty.
    """
    run = run if isinstance(run, Run) else load(run)
    reviews = run.experiment.data
    if not isinstance(reviews, LabelledTexts) or POSITIVE not in reviews.classes:
        raise UsageError(f"{run.folder} holds no run on texts that are positive or negative.")
    if not texts or not all(text.strip() for text in texts):
        raise UsageError("There is no text to judge.")
    return run.probabilities(reviews.encode(texts))[:, reviews.classes.index(POSITIVE)]


def main(run: pathlib.Path, texts: tuple[str, ...] = SENTENCES) -> None:
    """Prints the probability that each text is positive.

    Args:
        run: the run folder.
        texts: to be judged.
    """
    for text, probability in zip(texts, predict_sentiment(run, *texts), strict=True):
        print(f"{probability:.3f}  {text}")


if __name__ == "__main__":
    import tyro

    try:
        tyro.cli(tyro.conf.configure(tyro.conf.Positional)(main))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
