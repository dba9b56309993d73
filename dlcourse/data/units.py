"""Words, names and phrases: what is masked as a whole."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

Level = Literal["basic", "entity", "phrase"]

WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")

# The words that begin a phrase: articles, pronouns, prepositions, conjunctions, auxiliaries.
FUNCTION_WORDS = frozenset(
    [
        "a",
        "about",
        "above",
        "after",
        "again",
        "against",
        "all",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "below",
        "between",
        "both",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "down",
        "during",
        "each",
        "every",
        "few",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "may",
        "me",
        "might",
        "more",
        "most",
        "must",
        "my",
        "no",
        "nor",
        "not",
        "of",
        "off",
        "on",
        "or",
        "other",
        "our",
        "out",
        "over",
        "shall",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "thee",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "thou",
        "those",
        "through",
        "thy",
        "till",
        "to",
        "too",
        "under",
        "until",
        "up",
        "upon",
        "us",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "would",
        "ye",
        "you",
        "your",
    ]
)


def words(sentence: str) -> list[str]:
    """Words, which may have an apostrophe inside, and marks of punctuation, one by one."""
    return WORD.findall(sentence)


def names(sentences: Iterable[str]) -> frozenset[str]:
    """The words that are names: those that are never written in lower case, and at least once begin
    with a capital letter where neither a sentence nor a line begins. Single letters and words all
    in capitals are none.
    """
    capital: set[str] = set()
    lower: set[str] = set()
    for sentence in sentences:
        for line in sentence.split("\n"):
            found = words(line)
            lower.update(word for word in found if word.islower())
            capital.update(word for word in found[1:] if word[0].isupper() and not word.isupper())
    return frozenset(word for word in capital if word.lower() not in lower)


def starts(sentence: Sequence[str], level: Level, known: frozenset[str]) -> Iterator[bool]:
    """Whether each word begins a unit that is masked as a whole (Sun et al., 2019; deck 003).

    - `basic`: every word does (and `Stretches` even each piece of it).
    - `entity`: all but a name after a name. A run of names is an entity: "King Edward".
    - `phrase`: a run of function words and the run of other words after it is a phrase: "of the
      common people" (the chinks and chunks of Liberman and Church, 1992). Punctuation is by itself.

    Args:
        sentence: its words.
        level: what is masked.
        known: `names` of the text.
    """
    before_name = before_content = before_function = False
    for word in sentence:
        is_name = word in known
        is_word = word[0].isalnum()
        is_function = is_word and word.lower() in FUNCTION_WORDS
        if level == "basic":
            yield True
        elif level == "entity":
            yield not (is_name and before_name)
        else:
            goes_on = is_word and (before_function or (before_content and not is_function))
            yield not goes_on
        before_name, before_function = is_name, is_function
        before_content = is_word and not is_function
