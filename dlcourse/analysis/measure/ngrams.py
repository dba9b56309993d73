"""Character n-grams: what counting alone predicts, beside which a language model has to be seen."""

import numpy as np
from jaxtyping import Float, Integer


def ngram_log_probabilities(
    train: Integer[np.ndarray, " train"],
    text: Integer[np.ndarray, " length"],
    vocabulary: int,
    orders: int = 7,
) -> Float[np.ndarray, "{orders} length-1"]:
    """`log P_n(c | h)` of every token c of a text but the first, for n = 1 to `orders`.

    Interpolated Witten-Bell smoothing (Witten and Bell, 1991; Chen and Goodman, 1999). With N(h c)
    the number of times that token c follows the context h of n - 1 tokens in the train text, N(h)
    their sum over c, and T(h) the number of different c that follow h,

        P_n(c | h) = (N(h c) + T(h) P_n-1(c | h')) / (N(h) + T(h)),    P_0(c) = 1 / vocabulary

    h' is h without its first token. Where h never occurred, or the text has no n - 1 tokens before
    c, P_n = P_n-1.

    Args:
        train: the text whose n-grams are counted.
        text: the text to predict.
        vocabulary: number of tokens.
        orders: the greatest n.

    Returns:
        Natural logarithms; entry (n - 1, i) belongs to token i + 1 of the text.
    """
    train, text = train.astype(np.int64), text.astype(np.int64)
    p = np.full(len(text), 1 / vocabulary)
    found = np.empty((orders, len(text) - 1))
    # Contexts are numbered: each number stands for one sequence of n - 1 tokens of the train text,
    # -1 for any other. At first there is one context, the empty one.
    contexts, asked, places = np.zeros(len(train), np.int64), np.zeros(len(text), np.int64), 1
    for n in range(orders):
        is_context = contexts >= 0
        grams = contexts[is_context] * vocabulary + train[is_context]
        different, number, count = np.unique(grams, return_inverse=True, return_counts=True)
        of_context = different // vocabulary
        total = np.bincount(of_context, count, minlength=places)
        followers = np.bincount(of_context, minlength=places)
        # The last sequence of the train text may occur nowhere else, and then nothing follows it.
        known = (asked >= 0) & (followers[asked] > 0)
        wanted = np.where(known, asked * vocabulary + text, -1)
        place = np.minimum(np.searchsorted(different, wanted), len(different) - 1)
        seen = different[place] == wanted
        times, context = np.where(seen, count[place], 0), asked[known]
        p[known] = (times[known] + followers[context] * p[known]) / (
            total[context] + followers[context]
        )
        found[n] = np.log(p[1:])
        # The n-gram that ends before a token is its context of n tokens.
        ended = np.full(len(train), -1)
        ended[is_context] = number
        contexts, places = _one_later(ended), len(different)
        asked = _one_later(np.where(seen, place, -1))
    return found


def ngram_losses(
    train: Integer[np.ndarray, " train"],
    text: Integer[np.ndarray, " length"],
    vocabulary: int,
    orders: int = 7,
) -> Float[np.ndarray, " {orders}"]:
    """The mean `-log P_n` over a text, in nats a token, for n = 1 to `orders`."""
    return -ngram_log_probabilities(train, text, vocabulary, orders).mean(axis=1)


def _one_later(numbers: Integer[np.ndarray, " n"]) -> Integer[np.ndarray, " n"]:
    return np.concatenate([[-1], numbers[:-1]])
