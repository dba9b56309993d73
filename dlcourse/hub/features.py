"""Texts as the outputs of a pretrained encoder, computed once and kept on disk."""

import dataclasses
import functools
import hashlib
import pathlib
import sys
import tempfile
import threading
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Integer

from dlcourse.data.cache import cache_folder
from dlcourse.data.images import Rows
from dlcourse.data.labelled_texts import LabelledTexts
from dlcourse.data.signals import Halted, until_signal
from dlcourse.hub.starting import Encoder

BATCH = 32  # texts that are encoded together
STEP = 16  # their length is a multiple of it, so that few programs are compiled


def with_features(texts: LabelledTexts, encoder: Encoder, *, stream: bool = False) -> LabelledTexts:
    """The texts of a set with the features of every token in place of the tokens.

    The features are the outputs of the last layer, in float16. They are computed once, for the
    examples of the splits alone, and kept in the user's cache folder.

    Args:
        texts: tokens of the encoder's own tokenizer.
        encoder: `hub.encoder(...)`; its weights are read.
        stream: read features from disk on demand.

    Returns:
        A set whose batches hold `text`, a dict with `features`, float32 `[batch, length,
        features]`, and `lengths`, int32 `[batch]`; and `label`.

    Raises:
        Stopped: a signal came while they were computed.
    """
    numbers = np.sort(np.concatenate([*texts.splits.values()]))
    kept = [texts.texts[number] for number in numbers]
    tokens = texts.encode(kept)["tokens"]
    labels = np.concatenate([texts.labels(split) for split in texts.splits])
    places = np.concatenate([np.searchsorted(numbers, own) for own in texts.splits.values()])
    arrays = {
        "features": _cached(texts.name, encoder, tokens),
        "lengths": _lengths(tokens),
        "label": labels[np.argsort(places)],
    }

    def encode(others: Sequence[str]) -> dict[str, np.ndarray]:
        tokens = texts.encode(others)["tokens"]
        found = np.zeros((*tokens.shape, encoder.bert.features), np.float16)
        _compute(encoder, tokens, found)
        return {"features": found, "lengths": _lengths(tokens)}

    return dataclasses.replace(
        texts,
        examples=Rows(arrays) if stream else arrays,
        splits={split: np.searchsorted(numbers, own) for split, own in texts.splits.items()},
        prepare=_as_text,
        texts=kept,
        encode=encode,
    )


def _as_text(batch: dict[str, Any]) -> dict[str, Any]:
    inputs = ("features", "lengths")
    others = {name: array for name, array in batch.items() if name not in inputs}
    features = jnp.asarray(batch["features"]).astype(jnp.float32)
    return others | {"text": {"features": features, "lengths": jnp.asarray(batch["lengths"])}}


def _cached(name: str, encoder: Encoder, tokens: Integer[np.ndarray, "texts length"]) -> np.ndarray:
    digest = hashlib.sha256(tokens.tobytes())
    digest.update(f"{tokens.shape} {tokens.dtype} {encoder.bert.clone(dropout=0.0)}".encode())
    for leaf in jax.tree.leaves(encoder.weights()):
        digest.update(leaf.tobytes())
    place = cache_folder() / f"features-{digest.hexdigest()[:16]}.npy"
    if not place.exists():
        print(f"The features of {len(tokens)} texts of '{name}' are computed.", file=sys.stderr)
        place.parent.mkdir(parents=True, exist_ok=True)
        with (
            until_signal(f"the features of '{name}' were computed") as halted,
            tempfile.TemporaryDirectory(dir=place.parent, prefix="tmp") as unfinished,
        ):
            part = pathlib.Path(unfinished) / place.name
            shape = (*tokens.shape, encoder.bert.features)
            found = np.lib.format.open_memmap(part, "w+", np.float16, shape)
            _compute(encoder, tokens, found, halted)
            found.flush()
            part.replace(place)
    return np.load(place, mmap_mode="r")


def _compute(
    encoder: Encoder,
    tokens: Integer[np.ndarray, "texts length"],
    found: np.ndarray,
    halted: threading.Event | None = None,
) -> None:
    """Fills `found`, `[texts, length, features]`, which is 0 and stays so at most padding.

    Texts of about one length are encoded together, so that little padding is.
    """
    params, apply = encoder.weights(), _program(encoder.bert)
    lengths = _lengths(tokens)
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(tokens), BATCH):
        if halted is not None and halted.is_set():
            raise Halted
        rows = order[start : start + BATCH]
        length = min(-(-lengths[rows].max() // STEP) * STEP, tokens.shape[1])
        whole = np.zeros((BATCH, length), np.int32)
        whole[: len(rows)] = tokens[rows, :length]
        found[rows, :length] = np.asarray(apply(params, whole))[: len(rows)]


def _lengths(tokens: Integer[np.ndarray, "texts length"]) -> Integer[np.ndarray, " texts"]:
    return np.count_nonzero(tokens, axis=1).astype(np.int32)


@functools.lru_cache(maxsize=1)
def _program(bert: Any) -> Any:
    return jax.jit(lambda params, tokens: bert.apply({"params": params}, tokens).places)
