"""How good translations are: BLEU and the share that is exact, over a whole split."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from dlcourse.data import Translation
from dlcourse.data.optional import require
from dlcourse.learner import Apply, State

BATCH = 32  # sentences that are translated at once

# (state, sources [n, length]) -> tokens [n, length]
Translate = Callable[[State, Any], np.ndarray]


def translator(apply: Apply) -> Translate:
    """A function from a state and sources to their translations, compiled once for any number.

    Args:
        apply: that of a learner of translation.
    """
    run: Any = jax.jit(apply)

    def translate(state: State, source: Any) -> np.ndarray:
        found = []
        for start in range(0, len(source), BATCH):
            part = source[start : start + BATCH]
            rows = np.arange(BATCH) % len(part)  # the last batch is filled up
            tokens = run(state, {"source": part[rows]}, jax.random.key(0))
            found.append(np.asarray(tokens)[: len(part)])
        return np.concatenate(found)

    return translate


def translation_scores(
    translate: Translate, data: Translation
) -> Callable[[State, str], Mapping[str, float]]:
    """A function from a state and a split to the scores of its translations; see `bleu`.

        exact_match = mean_i 1[translation_i = reference_i]

    Args:
        translate: from `translator`.
        data: what the state has learned from.

    Raises:
        UserError: sacreBLEU is not installed.
    """
    require("sacrebleu", "BLEU")  # now, not after the training

    def measure(state: State, split: str) -> Mapping[str, float]:
        numbers = data.splits[split]
        references = [data.pairs[number][1] for number in numbers]
        found = data.decode(translate(state, data.read(numbers)["source"]))
        exact = np.mean([text == right for text, right in zip(found, references, strict=True)])
        return {"exact_match": float(exact)} | bleu(found, references, data.bleu_tokens)

    return measure


def bleu(
    translations: Sequence[str], references: Sequence[str], tokens: str = "13a"
) -> dict[str, float]:
    """BLEU (Papineni et al., 2002) by sacreBLEU (Post, 2018), lower-cased and in mixed case.

    Texts are as people write them; sacreBLEU cuts them into tokens itself. Counts are over all
    sentences together. The names of the two scores are their signatures, without which BLEU cannot
    be compared: `BLEU|nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:2.6.0`.

    Args:
        translations: one for each reference.
        references: one for each sentence.
        tokens: `13a`, or `char` for characters.

    Raises:
        UserError: sacreBLEU is not installed.
    """
    library = require("sacrebleu.metrics", "BLEU")
    scores = {}
    for lowercase in (True, False):
        metric = library.BLEU(lowercase=lowercase, tokenize=tokens)
        score = metric.corpus_score(list(translations), [list(references)]).score
        scores[f"BLEU|{metric.get_signature().format(short=False)}"] = float(score)
    return scores
