"""Texts and their tokens: characters, byte-pair encoding and WordPiece."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Integer

from dlcourse.data.optional import require
from dlcourse.errors import UsageError, UserError

FILE = "tokenizer.json"  # in the folder of a run
UNKNOWN = "\ufffd"  # an unknown character
UNKNOWN_WORD = "[UNK]"
START = "\u2581"  # before the first letter of a word while pieces are sought
BERT = ("[PAD]", UNKNOWN_WORD, "[CLS]", "[SEP]", "[MASK]")
SHOWN = 5  # unknown pieces that a message names


@dataclasses.dataclass(frozen=True)
class Tokenizer:
    """A tokenizer of the package `tokenizers`, kept as its JSON.

    Special tokens have the first numbers, in the order given. A text that contains the name of
    one, such as `[SEP]`, is encoded as the characters of that name.

    Attributes:
        json: the content of a `tokenizer.json`.
    """

    json: str = dataclasses.field(repr=False)

    @classmethod
    def characters(cls, text: str, special: Sequence[str] = ()) -> "Tokenizer":
        """The characters that occur in a text, in the order of Unicode, then the unknown one."""
        library = _library()
        tokens = [*special, *sorted(set(text) - {UNKNOWN}), UNKNOWN]
        numbers = {token: number for number, token in enumerate(tokens)}
        # Byte-pair encoding without pairs.
        inner = library.Tokenizer(library.models.BPE(numbers, [], unk_token=UNKNOWN))
        inner.decoder = library.decoders.Fuse()
        inner.add_special_tokens(list(special))
        return cls(inner.to_str())

    @classmethod
    def bpe(
        cls,
        texts: Iterable[str],
        size: int,
        special: Sequence[str] = (),
        *,
        lowercase: bool = False,
    ) -> "Tokenizer":
        """Byte-pair encoding of bytes, as GPT-2 has it (Sennrich et al., 2016; Radford et al.).

        The most frequent pair of tokens becomes a token, again and again. No text is unknown.

        Args:
            texts: to be trained on.
            size: number of tokens in the end, the 256 bytes and the special ones included; fewer
                where the texts have no more pairs.
            special: tokens that no text has.
            lowercase: whether the text is lowercased first.
        """
        library = _library()
        inner = library.Tokenizer(library.models.BPE())
        inner.normalizer = library.normalizers.Lowercase() if lowercase else None
        inner.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        inner.decoder = library.decoders.ByteLevel()
        trainer = library.trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=list(special),
            initial_alphabet=sorted(library.pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        inner.train_from_iterator(texts, trainer)
        return cls(inner.to_str())

    @classmethod
    def word_pieces(
        cls,
        texts: Iterable[str],
        size: int,
        special: Sequence[str] = BERT,
        *,
        lowercase: bool = True,
    ) -> "Tokenizer":
        """WordPiece, as BERT has it (Schuster and Nakajima, 2012): words cut into known pieces.

        Pieces inside a word begin with `##`. A word with an unknown character is `[UNK]`. The
        pieces are those of byte-pair encoding of words, so the same texts give the same pieces;
        the package's own trainer numbers them by chance.

        Args:
            texts: to be trained on.
            size: number of tokens in the end, the special ones included.
            special: tokens that no text has; `[UNK]` must be among them.
            lowercase: whether the text is lowercased first and loses its accents.
        """
        library = _library()
        pairs = library.Tokenizer(library.models.BPE())
        pairs.normalizer = library.normalizers.BertNormalizer(lowercase=lowercase)
        first = library.pre_tokenizers.Metaspace(START, prepend_scheme="always")
        words = library.pre_tokenizers.BertPreTokenizer()
        pairs.pre_tokenizer = library.pre_tokenizers.Sequence([words, first])
        trainer = library.trainers.BpeTrainer(vocab_size=size, show_progress=False)
        pairs.train_from_iterator(texts, trainer)
        found = sorted(pairs.get_vocab(), key=pairs.token_to_id)
        letters = [token for token in found if len(token) == 1 and token != START]
        pieces = [
            token.removeprefix(START) if token.startswith(START) else f"##{token}"
            for token in found
            if len(token) > 1
        ]
        tokens = [*special, *letters, *(f"##{letter}" for letter in letters), *pieces]
        known = {token: number for number, token in enumerate(list(dict.fromkeys(tokens))[:size])}
        model = library.models.WordPiece(known, unk_token=UNKNOWN_WORD)
        inner = _of_words(library, model, lowercase)
        inner.add_special_tokens(list(special))
        return cls(inner.to_str())

    @classmethod
    def read(cls, path: pathlib.Path | str, *, lowercase: bool = True) -> "Tokenizer":
        """The tokenizer of a file, or of a folder of a published model.

        Args:
            path: a `tokenizer.json`; a `vocab.txt` of WordPiece; or a folder with one of these or
                with `vocab.json` and `merges.txt` of GPT-2.
            lowercase: whether the pieces of a `vocab.txt` are of lowercased text.

        Raises:
            UserError: it is none of these.
        """
        path = pathlib.Path(path)
        if path.is_dir():
            named = [path / name for name in (FILE, "vocab.txt", "vocab.json")]
            found = next((file for file in named if file.is_file()), None)
            if found is None:
                raise UserError(f"{path} has no {FILE}, no vocab.txt and no vocab.json.")
            path = found
        library = _library()
        try:
            if path.name == "vocab.txt":
                model = library.models.WordPiece.from_file(str(path), unk_token=UNKNOWN_WORD)
                inner = _of_words(library, model, lowercase)
                known = inner.get_vocab()
                inner.add_special_tokens([token for token in BERT if token in known])
            elif path.name == "vocab.json":
                merges = path.with_name("merges.txt")
                inner = library.Tokenizer(library.models.BPE.from_file(str(path), str(merges)))
                inner.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
                inner.decoder = library.decoders.ByteLevel()
            else:
                inner = library.Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror or error}).") from error
        except Exception as error:
            raise UserError(f"{path} is no tokenizer: {error}") from error
        # A published file may cut texts and pad them.
        inner.no_truncation()
        inner.no_padding()
        return cls(inner.to_str())

    @classmethod
    def kept(cls, folder: pathlib.Path | None) -> "Tokenizer | None":
        """The tokenizer in the folder of a run, if there is one."""
        copy = folder / FILE if folder is not None else None
        return cls.read(copy) if copy is not None and copy.exists() else None

    @functools.cached_property
    def _inner(self) -> Any:
        inner = _library().Tokenizer.from_str(self.json)
        inner.encode_special_tokens = True
        return inner

    @functools.cached_property
    def size(self) -> int:
        """Number of tokens, special ones included."""
        return self._inner.get_vocab_size()

    @property
    def dtype(self) -> np.dtype:
        """The smallest type of a token's number."""
        return next(np.dtype(t) for t in ("u1", "u2", "i4") if self.size <= np.iinfo(t).max + 1)

    def number(self, token: str) -> int:
        """The number of a token.

        Raises:
            UserError: there is no such token.
        """
        number = self._inner.token_to_id(token)
        if number is None:
            raise UserError(f"The tokenizer has no token '{token}'.")
        return number

    @functools.cached_property
    def tokens(self) -> list[str]:
        """The tokens as they are written in the tokenizer, by number."""
        return [self._inner.id_to_token(number) for number in range(self.size)]

    def encode(self, text: str, *, strict: bool = False) -> Integer[np.ndarray, " length"]:
        """The tokens of a text, without special ones.

        Args:
            text: to be encoded.
            strict: refuse what the tokenizer does not know; else it is an unknown token.

        Raises:
            UserError: naming what is unknown.
        """
        if strict:
            self._check(text)
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[Integer[np.ndarray, " length"]]:
        """The tokens of each text; see `encode`."""
        found = self._inner.encode_batch_fast(list(map(_valid, texts)), add_special_tokens=False)
        dtype = self.dtype
        return [np.array(each.ids, dtype) for each in found]

    def decode(self, tokens: Integer[np.ndarray, " length"]) -> str:
        """The text of tokens, without special ones."""
        return self._inner.decode(np.asarray(tokens).tolist())

    def _check(self, text: str) -> None:
        number = self._inner.token_to_id(self._inner.model.unk_token or "")
        found = self._inner.encode(_valid(text), add_special_tokens=False)
        spans = zip(found.ids, found.offsets, strict=True)
        unknown = sorted({text[a:b] for token, (a, b) in spans if token == number})
        if unknown:
            named = ", ".join(map(repr, unknown[:SHOWN])) + (" …" if len(unknown) > SHOWN else "")
            raise UserError(f"The model knows no {named}: its training text has none.")


def _library() -> Any:
    library = require("tokenizers", "the tokens of a text")
    for module in ("models", "decoders", "normalizers", "pre_tokenizers", "trainers"):
        require(f"tokenizers.{module}", "the tokens of a text")
    return library


def _of_words(library: Any, model: Any, lowercase: bool) -> Any:
    inner = library.Tokenizer(model)
    inner.normalizer = library.normalizers.BertNormalizer(lowercase=lowercase)
    inner.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    inner.decoder = library.decoders.WordPiece()
    return inner


def _valid(text: str) -> str:
    """The text, with U+FFFD for halves of characters, which a command line may contain."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
