"""Generated sentences about films, in which the words alone do not tell praise from blame.

    the plot is not great                                   negation turns the opinion
    the acting is dull, but the film is delightful          the second half counts
    the film is delightful, although the acting is dull     the first half counts

A sentence is one statement or two that are joined. A statement has one word that praises or blames,
and a negation turns it. Of two statements with opposite opinions the main clause decides: a bag of
words is the same whichever that is.
"""

import numpy as np

NAME = "generated_reviews"
CLASSES = ("negative", "positive")
SIZES = {"train": 6000, "validation": 1000, "test": 2000}

SUBJECTS = ("this film", "this movie", "the film", "the movie", "the plot", "the story",
            "the acting", "the cast", "the script", "the ending", "the dialogue", "the music",
            "the camera", "the direction")  # fmt: skip
WORDS = {
    False: ("terrible", "bad", "dull", "boring", "awful", "weak", "clumsy", "predictable",
            "tedious", "lifeless"),
    True: ("great", "good", "wonderful", "moving", "brilliant", "clever", "charming", "funny",
           "gripping", "delightful"),
}  # fmt: skip
PLAIN = ("{s} is {w}", "{s} was really {w}", "{s} turned out {w}", "i found {s} {w}")
NEGATED = ("{s} is not {w}", "{s} was never {w}", "{s} is hardly {w}", "nobody found {s} {w}")
SAME = ("{a}, and {b}", "{a}; moreover, {b}")
FIRST = ("{a}, although {b}", "{a}, even if {b}")  # opposite opinions, of which the first decides
SECOND = ("{a}, but {b}", "although {a}, {b}", "even if {a}, {b}")


def opinions() -> tuple[dict[str, list[str]], dict[str, list[int]]]:
    """Different sentences for each split, always the same: texts, and whether each praises.

    A fifth is one statement, two fifths are two that agree and as many two that do not; half of the
    statements are negated, and half of the sentences of each kind praise.
    """
    random = np.random.RandomState(2024)  # whose numbers NumPy promises to keep

    def one_of(choices: tuple[str, ...]) -> str:
        return choices[random.randint(len(choices))]

    def statement(praises: bool) -> str:
        negated = bool(random.randint(2))
        words = WORDS[praises != negated]
        return one_of(NEGATED if negated else PLAIN).format(s=one_of(SUBJECTS), w=one_of(words))

    def sentence(number: int) -> str:
        praises, kind = bool(number % 2), number // 2 % 5
        if kind == 0:
            return statement(praises)
        if kind < 3:
            return one_of(SAME).format(a=statement(praises), b=statement(praises))
        first = bool(random.randint(2))
        a, b = statement(praises == first), statement(praises != first)
        return one_of(FIRST if first else SECOND).format(a=a, b=b)

    seen: set[str] = set()
    texts: dict[str, list[str]] = {split: [] for split in SIZES}
    labels: dict[str, list[int]] = {split: [] for split in SIZES}
    for split, size in SIZES.items():
        while len(texts[split]) < size:
            number = len(texts[split])
            made = sentence(number)
            if made not in seen:
                seen.add(made)
                texts[split].append(made)
                labels[split].append(number % 2)
    return texts, labels
