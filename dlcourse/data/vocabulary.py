"""Characters and their numbers."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Integer

from dlcourse.errors import UserError

UNKNOWN = "\ufffd"  # the sign for an unknown character in decoded text
SHOWN = 5  # unknown characters that a message names


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The characters of a text, numbered in the order of Unicode, and one unknown character.

    Attributes:
        characters: sorted; the unknown character has the number after the last.
    """

    characters: str

    @classmethod
    def of(cls, text: str) -> "Vocabulary":
        """The characters that occur in a text."""
        return cls("".join(sorted(set(text))))

    @property
    def size(self) -> int:
        """How many numbers there are, that of the unknown character included."""
        return len(self.characters) + 1

    @functools.cached_property
    def _codes(self) -> np.ndarray:
        return _codes_of(self.characters)

    def encode(self, text: str, *, strict: bool = True) -> Integer[np.ndarray, " length"]:
        """The number of each character.

        Args:
            text: to be encoded.
            strict: refuse characters that the vocabulary lacks; else they are the unknown one.

        Raises:
            UserError: naming them.
        """
        codes = _codes_of(text)
        found = np.minimum(np.searchsorted(self._codes, codes), max(len(self._codes) - 1, 0))
        known = self._codes[found] == codes if len(self._codes) else np.zeros(len(codes), bool)
        if strict and not known.all():
            unknown = sorted(set(text) - set(self.characters))
            named = ", ".join(map(repr, unknown[:SHOWN])) + (" …" if len(unknown) > SHOWN else "")
            raise UserError(f"The model knows no {named}: its training text has no such character.")
        return np.where(known, found, self.size - 1).astype(self.dtype)

    def decode(self, tokens: Integer[np.ndarray, " length"]) -> str:
        """The characters of numbers."""
        table = self.characters + UNKNOWN
        return "".join(table[token] for token in tokens.tolist())

    @property
    def dtype(self) -> np.dtype:
        """The smallest type of a number."""
        return next(np.dtype(t) for t in ("u1", "u2", "i4") if self.size <= np.iinfo(t).max + 1)


def _codes_of(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
