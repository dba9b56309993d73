"""Tokenizers: texts come back from their tokens, and the same texts give the same tokens."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from dlcourse import data
from dlcourse.data.tokenizer import BERT, UNKNOWN
from dlcourse.errors import UsageError, UserError
from tests import ROOT

TEXTS = ["Low, lower, lowest!", "The newest are wider: new, newer.", "a widest\tÜber-new one\n"]
MADE = {
    "characters": data.Tokenizer.characters("".join(TEXTS), ("[PAD]", "[END]")),
    "bpe": data.Tokenizer.bpe(TEXTS, 280, ("[PAD]", "[END]")),
    "word_pieces": data.Tokenizer.word_pieces(TEXTS, 60),
}


@pytest.mark.parametrize("text", ["", "hello", "Grüße, 世界 🌍\n\t", "a\x00b"])
def test_a_text_is_what_its_characters_decode_to(text):
    tokenizer = data.Tokenizer.characters(text)
    assert tokenizer.decode(tokenizer.encode(text, strict=True)) == text
    assert tokenizer.tokens == [*sorted(set(text)), UNKNOWN]
    assert tokenizer.size == len(set(text)) + 1


def test_unknown_characters_have_one_number_or_are_named():
    tokenizer = data.Tokenizer.characters("abc")
    tokens = tokenizer.encode("xaöc")
    np.testing.assert_array_equal(tokens, [3, 0, 3, 2])
    assert tokenizer.decode(tokens) == f"{UNKNOWN}a{UNKNOWN}c"
    with pytest.raises(UserError, match="knows no 'x', 'ö': its training text"):
        tokenizer.encode("xaöc", strict=True)
    with pytest.raises(UserError, match="knows no 'a': "):
        data.Tokenizer.characters("").encode("a", strict=True)


def test_half_a_character_of_a_command_line_is_unknown():
    tokenizer = data.Tokenizer.characters("ab")
    np.testing.assert_array_equal(tokenizer.encode("a\udcffb"), [0, 2, 1])


@pytest.mark.parametrize(
    ("count", "dtype"), [(255, "u1"), (256, "u2"), (65535, "u2"), (65536, "i4")]
)
def test_tokens_are_as_small_as_their_number_allows(count, dtype):
    # From U+10000 on, all are characters.
    tokenizer = data.Tokenizer.characters("".join(map(chr, range(0x10000, 0x10000 + count))))
    assert tokenizer.dtype == np.dtype(dtype)


@pytest.mark.parametrize("text", ["unseen: ñ世🌍 \n x", " low  lower", *TEXTS])
def test_pairs_of_bytes_know_every_text(text):
    tokens = MADE["bpe"].encode(text, strict=True)
    assert MADE["bpe"].decode(tokens) == text


def test_the_most_frequent_pair_is_joined_first():
    # Gage (1994): in aaabdaaabac the pair aa is the first, then ab or its like.
    tokenizer = data.Tokenizer.bpe(["aaabdaaabac"], 258)
    assert tokenizer.tokens[256] == "aa"
    assert tokenizer.size == 258
    assert len(tokenizer.encode("aaabdaaabac")) < len("aaabdaaabac") - 2


def test_word_pieces_take_the_longest_known_piece():
    tokenizer = MADE["word_pieces"]
    known = set(tokenizer.tokens)

    def by_loop(word):
        pieces, rest = [], word
        while rest:
            mark = "##" if pieces else ""
            length = next((n for n in range(len(rest), 0, -1) if mark + rest[:n] in known), None)
            if length is None:
                return ["[UNK]"]
            pieces.append(mark + rest[:length])
            rest = rest[length:]
        return pieces

    for word in ("lowest", "new", "newest", "uber", "wwww", "zebra", "lowx"):
        found = [tokenizer.tokens[token] for token in tokenizer.encode(word)]
        assert found == by_loop(word)
    # Words in lower case, without accents; signs stand alone.
    assert tokenizer.decode(tokenizer.encode("ÜBER-new")) == "uber - new"
    assert tokenizer.size == 60
    with pytest.raises(UserError, match="knows no 'zebra'"):
        tokenizer.encode("a zebra", strict=True)


@pytest.mark.parametrize("kind", MADE)
def test_special_tokens_come_first_and_no_text_contains_one(kind):
    tokenizer = MADE[kind]
    special = BERT if kind == "word_pieces" else ("[PAD]", "[END]")
    assert [tokenizer.number(token) for token in special] == list(range(len(special)))
    found = tokenizer.encode("low[PAD]")
    assert tokenizer.number("[PAD]") not in found
    together = np.concatenate([found, [tokenizer.number("[PAD]")]])
    assert tokenizer.decode(together) == tokenizer.decode(found)
    with pytest.raises(UserError, match=r"has no token '\[MISSING\]'"):
        tokenizer.number("[MISSING]")


@pytest.mark.parametrize("kind", MADE)
def test_a_tokenizer_is_its_file(kind, tmp_path):
    (tmp_path / "tokenizer.json").write_text(MADE[kind].json, encoding="utf-8")
    for place in (tmp_path, tmp_path / "tokenizer.json"):
        read = data.Tokenizer.read(place)
        for text in TEXTS:
            np.testing.assert_array_equal(read.encode(text), MADE[kind].encode(text))
            assert read.decode(read.encode(text)) == MADE[kind].decode(MADE[kind].encode(text))


def test_many_texts_are_encoded_as_each_alone():
    for tokenizer in MADE.values():
        for text, tokens in zip(TEXTS, tokenizer.encode_all(TEXTS), strict=True):
            np.testing.assert_array_equal(tokens, tokenizer.encode(text))
            assert tokens.dtype == tokenizer.dtype


def test_other_processes_train_the_same_tokenizers():
    # The package's tables are hashed by numbers that are drawn at each start.
    code = (
        "import hashlib\n"
        "from dlcourse.data import Tokenizer\n"
        "import gzip, importlib.resources as r\n"
        "place = r.files('dlcourse.data') / 'bundled' / 'shakespeare.txt.gz'\n"
        "lines = gzip.decompress(place.read_bytes()).decode()[:60000].splitlines()\n"
        "made = Tokenizer.bpe(lines, 700).json + Tokenizer.word_pieces(lines, 700).json\n"
        "print(hashlib.sha256(made.encode()).hexdigest())\n"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_published_files_neither_cut_nor_pad(tmp_path):
    content = json.loads(MADE["word_pieces"].json)
    content["truncation"] = {
        "direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0,
    }  # fmt: skip
    content["padding"] = {
        "strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
    }  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    read = data.Tokenizer.read(tmp_path)
    for text in ("low", "the lower the newest the widest"):
        np.testing.assert_array_equal(read.encode(text), MADE["word_pieces"].encode(text))


def test_a_vocabulary_of_word_pieces_alone(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(MADE["word_pieces"].tokens))
    read = data.Tokenizer.read(tmp_path)
    for text in TEXTS:
        np.testing.assert_array_equal(read.encode(text), MADE["word_pieces"].encode(text))
    with_first = np.array([read.number("[CLS]"), *read.encode("new")])
    assert read.decode(with_first) == "new"


def test_the_two_files_of_gpt_2(tmp_path):
    model = json.loads(MADE["bpe"].json)["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    read = data.Tokenizer.read(tmp_path)
    for text in TEXTS:
        np.testing.assert_array_equal(read.encode(text), MADE["bpe"].encode(text))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello world", [15496, 995]),
        ("Hello, world!", [15496, 11, 995, 0]),
        (
            "The quick brown fox jumps over the lazy dog.",
            [464, 2068, 7586, 21831, 18045, 625, 262, 16931, 3290, 13],
        ),
    ],
)
def test_the_numbers_of_gpt_2s_tokens(text, tokens):
    """With the part of its published files that these texts need: see `make_gpt2_tokenizer.py`."""
    read = data.Tokenizer.read(ROOT / "tests" / "fixtures" / "gpt2_tokenizer")
    assert read.encode(text).tolist() == tokens
    assert read.decode(np.array(tokens)) == text


def test_what_is_no_tokenizer_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"none\.json cannot be read \(No such file"):
        data.Tokenizer.read(tmp_path / "none.json")
    with pytest.raises(UserError, match=r"has no tokenizer\.json, no vocab\.txt and no vocab"):
        data.Tokenizer.read(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"tokenizer\.json is no tokenizer: "):
        data.Tokenizer.read(tmp_path)
