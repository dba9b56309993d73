"""Documents cut into stretches of tokens, for pairs of them."""

from collections.abc import Iterable, Sequence

from dlcourse.data.documents import Document
from dlcourse.data.tokenizer import Tokenizer
from dlcourse.data.units import Level, starts, words

LONGEST = 8  # tokens of a unit; longer ones are cut


class Stretches:
    """Stretches of whole sentences with at most `most` tokens; a longer sentence is cut.

    Attributes:
        tokens, begins: of all stretches; `begins` is 1 where a unit begins.
        lengths: of each stretch.
    """

    def __init__(
        self, tokenizer: Tokenizer, level: Level, known: frozenset[str], most: int
    ) -> None:
        self.tokenizer, self.level, self.known, self.most = tokenizer, level, known, most
        self.tokens: list[int] = []
        self.begins: list[int] = []
        self.lengths: list[int] = []
        self._pieces: dict[str, list[int]] = {}

    def add(self, document: Document) -> int:
        """How many stretches a document has."""
        before, room = len(self.lengths), 0
        said = [words(sentence) for sentence in document]
        self._learn(word for sentence in said for word in sentence)
        for sentence in said:
            tokens, begins = self._encoded(sentence)
            for start in range(0, len(tokens), self.most):
                piece = tokens[start : start + self.most]
                if len(piece) > room:
                    self.lengths.append(0)
                    room = self.most
                self.tokens += piece
                self.begins += [1, *begins[start + 1 : start + self.most]]
                self.lengths[-1] += len(piece)
                room -= len(piece)
        return len(self.lengths) - before

    def _learn(self, said: Iterable[str]) -> None:
        new = list({word: None for word in said if word not in self._pieces})
        pieces = self.tokenizer.encode_all(new)
        self._pieces |= {word: ids.tolist() for word, ids in zip(new, pieces, strict=True)}

    def _encoded(self, sentence: Sequence[str]) -> tuple[list[int], list[int]]:
        tokens: list[int] = []
        begins: list[int] = []
        size = LONGEST
        for word, starts_unit in zip(
            sentence, starts(sentence, self.level, self.known), strict=True
        ):
            for number, piece in enumerate(self._pieces[word]):
                begin = self.level == "basic" or size == LONGEST or (starts_unit and not number)
                size = 1 if begin else size + 1
                tokens.append(piece)
                begins.append(int(begin))
        return tokens, begins
