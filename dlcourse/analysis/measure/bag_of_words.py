"""The classifier that knows which words a text has, and not in which order."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Integer

from dlcourse.data.optional import require


def bag_of_words_accuracy(
    train: tuple[Sequence[str], Integer[np.ndarray, " train"]],
    test: tuple[Sequence[str], Integer[np.ndarray, " test"]],
) -> float:
    """Accuracy on `test` of a logistic regression on tf-idf weights of words, learned on `train`.

    scikit-learn's `TfidfVectorizer` and `LogisticRegression` with their defaults.

    Args:
        train, test: texts and their classes.
    """
    purpose = "the bag of words"
    tfidf = require("sklearn.feature_extraction.text", purpose).TfidfVectorizer()
    logistic = require("sklearn.linear_model", purpose).LogisticRegression(max_iter=1000)
    logistic.fit(tfidf.fit_transform(train[0]), train[1])
    return float(logistic.score(tfidf.transform(test[0]), test[1]))
